"""Watching a training: when the card is asked, what is recorded of it, and advice in whole runs."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from autotune.base.sizes import GIB
from autotune.config.expected import Ranges
from autotune.config.profile import Profile
from autotune.device.cpu import on_battery
from autotune.device.find import Device
from autotune.device.nvml import Nvml
from autotune.device.nvml_port import Card, CardState, DeviceUser, NvmlUnavailable
from autotune.protocol import events
from autotune.protocol.choices import Supervision
from autotune.protocol.failure import Failure
from autotune.protocol.job import Job, TrainJob
from autotune.protocol.throttle import Throttle
from autotune.report.build import build_report
from autotune.report.write import render_html, render_markdown
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.run.state import replay
from autotune.screen.summary import summary
from autotune.study.tuner import Tuner
from autotune.train.watch import CardGauge, NoGauge, TrainingWatch, gauge_for
from tests import records, screens, setups
from tests.fakes.nvml import FakeNvml
from tests.played import Judge, Workers

COOL = CardState(5 * GIB, 70, 80.0, 115.0, ())
HOT = CardState(5 * GIB, 88, 60.0, 115.0, (Throttle.HEAT,))
AT_LIMIT = CardState(5 * GIB, 75, 115.0, 115.0, (Throttle.POWER,))
CARD = Device("cuda", "card", 0, None, 8 * GIB, 7 * GIB, None)


@dataclass
class Driver:
    """NVML of one card whose state changes; None is a driver that stopped to answer."""

    now: CardState | None = COOL
    asked: int = 0
    batteries: list[bool | None] = field(default_factory=list)

    def cards(self) -> tuple[Card, ...]:
        return (Card(0, "card", None, 8 * GIB, 7 * GIB, None),)

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        return ()

    def state(self, index: int) -> CardState:
        self.asked += 1
        if self.now is None:
            raise NvmlUnavailable("the driver does not answer")
        return self.now


def gauge(driver: Driver, battery: bool | None = None) -> CardGauge:
    return CardGauge(driver, 0, 8 * GIB, battery=lambda: battery)


def looked(gauge: CardGauge, driver: Driver, *states: tuple[float, CardState | None]) -> list[int]:
    """The places at which a sample came, of looks at these times and states."""
    found = []
    for at, (now, state) in enumerate(states):
        driver.now = state
        if gauge.look(0, now) is not None:
            found.append(at)
    return found


def test_the_card_is_asked_every_five_seconds_at_most_and_recorded_every_thirty() -> None:
    driver = Driver()
    watch = gauge(driver)
    seconds = [at / 10 for at in range(600)]
    found = [now for now in seconds if watch.look(0, now) is not None]
    assert found == [0, 30]
    assert driver.asked == 12


def test_the_next_training_has_a_sample_of_its_own_from_its_start() -> None:
    watch = gauge(Driver())
    assert watch.look(0, 0.0) is not None
    assert watch.look(0, 6.0) is None
    assert watch.look(1, 12.0) is not None


def test_heat_is_recorded_as_it_begins_and_as_it_ends() -> None:
    driver = Driver()
    watch = gauge(driver)
    assert looked(watch, driver, (0, COOL), (6, COOL), (12, HOT), (18, HOT), (24, COOL)) == [
        0,
        2,
        4,
    ]
    driver.now = HOT
    began = watch.look(0, 30)
    assert began is not None
    assert (began.began, began.ended) == ((Throttle.HEAT,), ())


def test_the_power_limit_of_a_laptop_comes_and_goes_without_a_record_of_its_own() -> None:
    driver = Driver()
    watch = gauge(driver)
    assert looked(watch, driver, (0, COOL), (6, AT_LIMIT), (12, COOL), (31, AT_LIMIT)) == [0, 3]
    assert watch.last is not None and watch.last.throttled == (Throttle.POWER,)
    assert not watch.last.is_news


def test_pulling_the_charger_is_recorded_at_once() -> None:
    driver = Driver()
    plugged = [False, True, True]
    watch = CardGauge(driver, 0, 8 * GIB, battery=lambda: plugged.pop(0))
    samples = [watch.look(0, now) for now in (0.0, 6.0, 12.0)]
    assert [s.on_battery if s else None for s in samples] == [False, True, None]


def test_a_driver_that_does_not_answer_for_a_while_is_passed_over() -> None:
    driver = Driver()
    watch = gauge(driver)
    assert looked(watch, driver, (0, HOT), (6, None), (12, HOT), (36, None), (42, COOL)) == [0, 4]


def test_what_the_driver_does_not_tell_is_unknown_in_the_record_and_ends_nothing() -> None:
    """A18."""
    driver = Driver(HOT)
    watch = gauge(driver)
    assert watch.look(0, 0) is not None
    driver.now = CardState(None, None, None, None, None)
    silent = watch.look(0, 31)
    assert silent is not None
    values = silent.used_bytes, silent.celsius, silent.watts, silent.limit_watts, silent.throttled
    assert values == (None,) * 5
    assert (silent.began, silent.ended) == ((), ())


def test_a_clock_that_is_put_back_stops_no_sampling() -> None:
    driver = Driver()
    assert looked(gauge(driver), driver, (5000, COOL), (100, COOL), (101, COOL)) == [0, 1]


def test_a_cpu_has_no_card_to_sample_and_its_driver_is_not_asked() -> None:
    driver = Driver()
    cpu = gauge_for(Device("cpu", "CPU", 0, None, GIB, GIB, None), driver)
    assert isinstance(cpu, NoGauge)
    assert cpu.look(0, 0.0) is None
    assert driver.asked == 0


@pytest.mark.parametrize("name", ["EventReason", "ThrottleReason"])
def test_reasons_are_read_from_drivers_and_libraries_old_and_new(name: str) -> None:
    class Refused(Exception):
        pass

    def refuse(*_: object) -> object:
        raise Refused

    asked = {"nvmlDeviceGetCurrentClocksEventReasons": refuse}
    asked[f"nvmlDeviceGetCurrentClocks{name}s"] = lambda _: 0x4 | 0x8 | 0x40 | 0x200000
    constants = {"SwPowerCap": 4, "HwSlowdown": 8, "HwThermalSlowdown": 0x40}
    library = SimpleNamespace(
        NVMLError=Refused,
        NVML_TEMPERATURE_GPU=0,
        nvmlDeviceGetHandleByIndex=lambda _: object(),
        nvmlDeviceGetMemoryInfo=refuse,
        nvmlDeviceGetTemperature=refuse,
        nvmlDeviceGetPowerUsage=refuse,
        nvmlDeviceGetEnforcedPowerLimit=refuse,
        **{f"nvmlClocks{name}{key}": value for key, value in constants.items()},
        **asked,
    )
    assert Nvml(library).state(0).throttled == (Throttle.POWER, Throttle.HARDWARE, Throttle.HEAT)


def missing() -> object:
    raise FileNotFoundError("/sys/class/power_supply")


@pytest.mark.parametrize(
    ("library", "recorded"),
    [
        (SimpleNamespace(sensors_battery=lambda: SimpleNamespace(power_plugged=False)), True),
        (SimpleNamespace(sensors_battery=lambda: SimpleNamespace(power_plugged=True)), False),
        (SimpleNamespace(sensors_battery=lambda: SimpleNamespace(power_plugged=None)), None),
        (SimpleNamespace(sensors_battery=lambda: None), None),
        (SimpleNamespace(sensors_battery=missing), None),
        (SimpleNamespace(), None),
    ],
)
def test_a_battery_is_known_or_unknown_and_never_an_error(
    library: object, recorded: object
) -> None:
    assert on_battery(library) is recorded


RANGES = Ranges(
    model="toy",
    data="toy",
    supervision=Supervision.CONTENT,
    learning_rate=(1e-4, 1e-2),
    loss_at_20_percent=0.5,
)


def tuner(
    folder: Path, workers: Workers, nvml: Driver | FakeNvml | None = None, watch: bool = False
) -> Tuner:
    """A run of one strategy that meets its target; its steps have a loss of 1."""
    folder.mkdir(exist_ok=True)
    session, _ = setups.session(folder, workers)
    profile: Profile = setups.profile(setups.strategy("A", num_train_epochs=5))
    if watch:
        profile = profile.model_copy(update={"watch": RANGES})
    setup: Setup = setups.setup(profile)
    if nvml is not None:
        setup = replace(setup, device=CARD)
    data = setups.survey(*[[60, 60]] * 20, [60, 10])
    judge = Judge(lambda _: setups.report(3))
    fit = setups.fit(micro_batch_tokens=512)
    return Tuner(session, setup, data, fit, judge, 0.25, nvml)


def recorded(session: Session, kind: type) -> list:  # type: ignore[type-arg]
    return [r.event for r in session.rundir.records() if isinstance(r.event, kind)]


def test_a_training_on_a_card_leaves_samples_in_the_record(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers(), Driver(HOT))
    assert run.run()
    first = recorded(run.session, events.CardSampled)[0]
    assert (first.number, first.celsius, first.watts, first.limit_watts) == (0, 88, 60.0, 115.0)
    assert (first.used_bytes, first.total_bytes) == (5 * GIB, 8 * GIB)
    assert replay(run.session.rundir.records()).trials[0].telemetry.cards[0] == first


def test_a_training_on_a_cpu_or_a_driver_that_is_gone_records_no_card(tmp_path: Path) -> None:
    for name, driver in (("cpu", None), ("gone", Driver(None))):
        run = tuner(tmp_path / name, Workers(), driver)
        assert run.run()
        assert recorded(run.session, events.CardSampled) == []


def test_advice_comes_with_the_profiles_ranges_for_its_own_data_only(tmp_path: Path) -> None:
    run = tuner(tmp_path / "with", Workers(), watch=True)
    assert run.run()
    (slow,) = recorded(run.session, events.Advised)
    assert (slow.number, slow.rule, slow.step) == (0, "loss_slow", 10)
    without = tuner(tmp_path / "without", Workers())
    assert without.run()
    assert recorded(without.session, events.Advised) == []


def test_a_peak_near_the_budget_of_the_run_is_advised_on_while_it_trains(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers())
    step = records.step_done(1, 8, memory_bytes=6 * GIB)
    for event in (
        records.run_started(),  # with 6 GiB
        events.TrialStarted(number=0, optuna_number=0, plan=records.plan("A")),
        events.PeakCompared(number=0, peak_bytes=6 * GIB, predicted_bytes=5 * GIB),
        step,
    ):
        run.session.emit(event)
    TrainingWatch(run.session, run.setup.profile, NoGauge()).on_event(step)
    assert [a.rule for a in recorded(run.session, events.Advised)] == ["near_budget"]


def test_a_run_that_goes_on_does_not_repeat_its_advice(tmp_path: Path) -> None:
    def instead(job: Job, before: int) -> setups.Played | None:
        if isinstance(job, TrainJob) and before == 0:
            return workers.train(job, until=13)[0], setups.crashed()
        return None

    workers = Workers(instead)
    assert tuner(tmp_path, workers, watch=True).run()
    again = Session(tuner(tmp_path, Workers()).session.rundir, setups.FakeRunner(Workers()))
    assert [a.rule for a in again.state.trials[0].telemetry.advice] == ["loss_slow"]


def test_a_training_that_stops_for_its_numbers_says_what_to_do_in_one_line(tmp_path: Path) -> None:
    """C2."""
    said = events.Failed(
        fault=Failure.NUMERIC, phase="forward", message="non-finite loss at step 2"
    )
    ending = setups.failed(Failure.NUMERIC, said.message)
    workers = Workers(lambda job, _: ([said], ending) if isinstance(job, TrainJob) else None)
    run = tuner(tmp_path, workers)
    assert not run.run()
    assert [a.message for a in recorded(run.session, events.Advised)] == [
        "training cannot continue: non-finite loss at step 2; lower learning_rate, or use"
        " --precision fp32"
    ]
    assert recorded(run.session, events.TrialEnded)[0].failure == "non-finite loss at step 2"


def sampled(**changes: object) -> events.CardSampled:
    values: dict[str, object] = {
        "number": 0,
        "used_bytes": 3 * GIB,
        "total_bytes": 8 * GIB,
        "celsius": 87.0,
        "watts": 61.4,
        "limit_watts": 115.0,
        "throttled": (Throttle.HEAT,),
    }
    return events.CardSampled(**(values | changes))  # type: ignore[arg-type]


def book(*more: events.RunEvent) -> list[events.Record]:
    """A training at step 7, and what came then."""
    found = records.Book(records.training()[-1].time)
    for event in more:
        found.add(event, after=1)
    return [*records.training(), *found.records]


ADVICE = events.Advised(number=0, rule="heat", step=7, message="give it air [/x]\x1b")


def test_the_newest_advice_stays_on_the_screen_while_it_trains() -> None:
    warned = [events.Warned(message=f"event {at}") for at in range(30)]
    shown = screens.live_text(book(ADVICE, *warned), width=100, height=40)
    assert r"advice: give it air [/x]\x1b" in shown
    assert "advice:" not in screens.live_text(book(), width=100, height=40)


def test_the_screen_shows_what_holds_the_card_down_and_the_battery() -> None:
    hot = replace(
        screens.SAMPLE,
        temperature_c=87.0,
        power_watts=61.4,
        limit_watts=115.0,
        throttled_by=("temperature",),
        on_battery=True,
    )
    line = screens.squeezed(screens.live_text(book(), sample=hot))
    assert "temperature 87 C power 61 of 115 W throttled by temperature on battery" in line
    silent = screens.squeezed(screens.live_text(book()))
    assert "power" not in silent and "throttled" not in silent and "battery" not in silent


def test_plain_lines_tell_what_began_and_ended_and_pass_over_mere_samples() -> None:
    lines = screens.plain_lines(
        book(
            sampled(),
            sampled(began=(Throttle.HEAT,)),
            sampled(throttled=(), ended=(Throttle.HEAT,), celsius=None, limit_watts=None),
            sampled(ended=(Throttle.HARDWARE,), celsius=None, watts=None),
            ADVICE,
        )
    )
    assert lines[-4:] == [
        "card: throttled by temperature (87 C, 61 of 115 W)",
        "card: no longer throttled by temperature (61 W)",
        "card: no longer throttled by hardware slowdown",
        r"trial 0 (A): advice: give it air [/x]\x1b",
    ]


def test_many_samples_push_no_event_out_of_sight() -> None:
    state = replay(book(ADVICE, *[sampled()] * 30))
    assert state.recent[-1].event == ADVICE


def test_all_advice_is_listed_when_a_run_is_over_and_in_its_report() -> None:
    recorded = book(ADVICE)
    closing = screens.squeezed(screens.printed(summary(replay(recorded), screens.FOLDER)))
    assert r"advice: trial 0 (A): give it air [/x]\x1b" in closing
    report = build_report(recorded, screens.FOLDER)
    assert report.advice == (f"trial 0 (A): {ADVICE.message}",)
    assert "Advice given while it trained" in render_html(report)
    assert r"- trial 0 (A): give it air \[/x\]\\x1b" in render_markdown(report)
    quiet = build_report(book(), screens.FOLDER)
    assert "Advice" not in render_html(quiet) + render_markdown(quiet)
