"""A training's peak beside the probe's, and neighbours that came to the card since."""

from dataclasses import dataclass, field

import pytest

from autotune.base.sizes import GIB, MIB
from autotune.device.find import Device
from autotune.device.nvml_port import Card, CardState, DeviceUser, NvmlUnavailable
from autotune.protocol import events
from autotune.text.fit import peak_sentence
from autotune.train.peak_check import (
    CardUse,
    CardWatch,
    NoCard,
    PeakWatch,
    exceeds,
    grown,
    watch_other_processes,
)


def step(number: int, memory_bytes: int) -> events.StepDone:
    return events.StepDone(
        step=number,
        total_steps=9,
        loss=1.0,
        grad_norm=1.0,
        learning_rate=1e-4,
        supervised_tokens=1,
        tokens=2,
        seconds=1.0,
        memory_bytes=memory_bytes,
    )


TRAINED = events.Trained(steps=9, skipped_steps=0, weights_moved=0.1, seconds=9.0)


def compared(watch: PeakWatch, *emitted: events.WorkerEvent) -> list[tuple[int, int]]:
    """(place in what was heard, peak in MiB) of each comparison."""
    told = [(at, watch.on_event(event)) for at, event in enumerate(emitted)]
    return [(at, found.peak_bytes // MIB) for at, found in told if found is not None]


def test_the_first_step_above_the_probes_peak_is_reported_once_and_the_end_always() -> None:
    steps = [step(n, peak * MIB) for n, peak in enumerate((900, 1010, 1030, 1100, 1200), 1)]
    assert compared(PeakWatch(3, 1000 * MIB), *steps, TRAINED) == [(2, 1030), (5, 1200)]
    assert compared(PeakWatch(3, 2000 * MIB), *steps, TRAINED) == [(5, 1200)]
    assert compared(PeakWatch(3, 1000 * MIB, warned=True), *steps, TRAINED) == [(5, 1200)]


def test_a_comparison_names_its_trial_and_both_figures() -> None:
    assert PeakWatch(3, 1000).on_event(step(1, 1500)) == events.PeakCompared(
        number=3, peak_bytes=1500, predicted_bytes=1000
    )


def test_the_most_of_all_processes_of_a_training_is_its_peak() -> None:
    emitted = [step(1, 1200 * MIB), step(1, 800 * MIB), TRAINED]
    assert compared(PeakWatch(0, 2000 * MIB), *emitted) == [(2, 1200)]


def test_a_training_without_a_step_has_no_peak() -> None:
    assert compared(PeakWatch(0, 1000), TRAINED) == []


def test_two_percent_is_noise() -> None:
    assert not exceeds(1020, 1000)
    assert exceeds(1021, 1000)


@pytest.mark.parametrize(
    ("peak", "words"),
    [
        (GIB + GIB // 10, "peak 1.10 GiB, 10.0 % above the 1.00 GiB that the probe measured"),
        (GIB // 2, "peak 512 MiB, 50.0 % below the 1.00 GiB that the probe measured"),
        (GIB, "peak 1.00 GiB, as high as the 1.00 GiB that the probe measured"),
        (GIB + 1000, "peak 1.00 GiB, as high as the 1.00 GiB that the probe measured"),
        (GIB + 2 * MIB, "peak 1026 MiB, 0.2 % above the 1024 MiB that the probe measured"),
    ],
)
def test_a_comparison_is_a_sentence(peak: int, words: str) -> None:
    told = events.PeakCompared(number=0, peak_bytes=peak, predicted_bytes=GIB)
    assert peak_sentence(told) == words


CHROME, GAME = DeviceUser(9, "chrome", 200 * MIB), DeviceUser(10, "game.exe", 3 * GIB)


def use(*users: DeviceUser, used: int | None = None) -> CardUse:
    return CardUse(used, users)


def more(user: DeviceUser, size: int) -> DeviceUser:
    return DeviceUser(user.pid, user.name, (user.bytes or 0) + size)


def test_a_neighbour_that_came_or_grew_is_named_with_what_it_took() -> None:
    told = grown(use(CHROME), use(more(CHROME, 800 * MIB), GAME), {1})
    assert told == (
        "chrome 9 took 800 MiB on the card since the probe",
        "game.exe 10 took 3.00 GiB on the card since the probe",
    )


def test_little_and_our_own_and_what_was_given_back_are_passed_over() -> None:
    before, ours = use(CHROME, GAME), DeviceUser(77, "python", 5 * GIB)
    assert grown(before, use(more(CHROME, 100 * MIB), ours), {77}) == ()


def test_where_the_driver_hides_processes_the_cards_growth_is_reported_with_who_is_new() -> None:
    quiet, new = DeviceUser(9, "chrome.exe", None), DeviceUser(12, "game.exe", None)
    told = grown(use(quiet, used=GIB), use(quiet, new, used=3 * GIB), {1})
    assert told == (
        "2.00 GiB more of the card are in use since the probe; the driver does not report by whom;"
        " new on it: game.exe 12 (not reported)",
    )
    (told_alone,) = grown(use(quiet, used=GIB), use(quiet, used=3 * GIB), {1})
    assert told_alone.endswith("does not report by whom")
    assert grown(use(quiet, used=GIB), use(quiet, used=GIB + 100 * MIB), {1}) == ()


def test_a_worker_of_ours_that_is_still_ending_is_no_unknown_growth() -> None:
    ours = DeviceUser(77, "python", 2 * GIB)
    assert grown(use(used=GIB), use(ours, used=3 * GIB), {77}) == ()


def test_a_driver_that_tells_nothing_names_nobody() -> None:
    assert grown(use(), use(DeviceUser(9, None, None)), set()) == ()


@dataclass
class Driver:
    """NVML of one card whose users change; `gone` is a driver that stopped to answer."""

    users_now: list[DeviceUser] = field(default_factory=list)
    gone: bool = False

    def cards(self) -> tuple[Card, ...]:
        return (Card(0, "card", None, 8 * GIB, 7 * GIB, None),)

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        return tuple(self.users_now)

    def state(self, index: int) -> CardState:
        if self.gone:
            raise NvmlUnavailable("no NVIDIA driver is installed")
        return CardState(None, None, None, None, None)


def test_each_growth_is_reported_once() -> None:
    driver = Driver([CHROME])
    watch = CardWatch(driver, 0)
    assert watch.look() == ()
    driver.users_now = [CHROME, GAME]
    assert len(watch.look()) == 1
    assert watch.look() == ()
    driver.users_now = [CHROME, more(GAME, GIB)]
    assert watch.look() == ("game.exe 10 took 1.00 GiB on the card since the probe",)


def test_a_growth_in_small_steps_is_reported_when_it_adds_up() -> None:
    driver = Driver([CHROME])
    watch = CardWatch(driver, 0)
    driver.users_now = [more(CHROME, 100 * MIB)]
    assert watch.look() == ()
    driver.users_now = [more(CHROME, 200 * MIB)]
    assert watch.look() == ("chrome 9 took 200 MiB on the card since the probe",)


def outside(pid: int, size: int | None) -> DeviceUser:
    return DeviceUser(pid, None, size, outside=True)


def test_in_a_container_a_growth_names_nobody_since_ids_are_the_hosts() -> None:
    before = use(outside(7, GIB), used=GIB)
    (told,) = grown(before, use(outside(7, 3 * GIB), outside(8, GIB), used=4 * GIB), {7})
    assert told == (
        "3.00 GiB more of the card are in use since the probe; from inside a container it cannot be"
        " seen by whom"
    )
    assert grown(before, use(outside(9, GIB), used=GIB), {1}) == ()


def test_in_a_container_a_worker_of_ours_that_is_ending_is_waited_for() -> None:
    driver = Driver([outside(7, 3 * GIB)])
    used = [GIB, 4 * GIB, 4 * GIB, 2 * GIB, GIB, GIB]
    looks = iter([*used, *[GIB] * 9])
    driver.state = lambda index: CardState(next(looks), None, None, None, None)  # type: ignore[method-assign]
    slept: list[float] = []
    watch = CardWatch(driver, 0, slept.append)
    assert watch.look({7}) == ()
    assert len(slept) == 3


def test_a_driver_that_stops_to_answer_names_nobody() -> None:
    driver = Driver([CHROME])
    watch = CardWatch(driver, 0)
    driver.gone, driver.users_now = True, [CHROME, GAME]
    assert watch.look() == ()
    driver.gone = False
    assert watch.look() == ("game.exe 10 took 3.00 GiB on the card since the probe",)
    late = Driver(gone=True)
    watch = CardWatch(late, 0)
    late.gone = False
    assert watch.look() == ()


def test_a_cpu_has_no_neighbours_and_its_driver_is_not_asked() -> None:
    cpu = Device("cpu", "CPU", 0, None, GIB, GIB, None)
    watch = watch_other_processes(cpu, Driver([GAME], gone=True))
    assert isinstance(watch, NoCard)
    assert watch.look() == ()
