"""Whole runs whose training takes more than the probe said, or whose card gets a neighbour."""

from dataclasses import replace
from pathlib import Path

from autotune.base.sizes import GIB
from autotune.device.find import Device
from autotune.device.nvml_port import Card, DeviceUser
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.job import Job, TrainJob
from autotune.run.session import Session
from autotune.run.state import replay
from autotune.study.tuner import Tuner
from tests import setups
from tests.fakes.nvml import FakeNvml
from tests.played import Judge, Workers

GAME = DeviceUser(10, "game.exe", 3 * GIB)


def tuner(
    folder: Path, workers: Workers, peak_bytes: int = GIB, nvml: FakeNvml | None = None
) -> Tuner:
    """A run of one strategy that meets its target; played steps peak at half a GiB."""
    session, _ = setups.session(folder, workers)
    setup = setups.setup(setups.profile(setups.strategy("A")))
    if nvml is not None:
        card = Device("cuda", "card", 0, None, 8 * GIB, 7 * GIB, None)
        setup = replace(setup, device=card)
    judge = Judge(lambda _: setups.report(3))
    data = setups.survey(*[[60, 60]] * 20, [60, 10])
    fit = setups.fit(micro_batch_tokens=512, peak_bytes=peak_bytes)
    return Tuner(session, setup, data, fit, judge, 0.25, nvml)


def recorded(session: Session, kind: type) -> list:  # type: ignore[type-arg]
    return [r.event for r in session.rundir.records() if isinstance(r.event, kind)]


def warnings(session: Session) -> list[str]:
    return [event.message for event in recorded(session, events.Warned)]


def test_a_training_within_the_probes_peak_says_so_once_at_its_end(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers(), GIB)
    assert run.run()
    (only,) = recorded(run.session, events.PeakCompared)
    assert (only.number, only.peak_bytes, only.predicted_bytes) == (0, GIB // 2, GIB)
    assert run.session.state.trials[0].peak == only
    assert replay(run.session.rundir.records()).trials[0].peak == only


def test_a_training_above_the_probes_peak_says_so_at_once_and_at_its_end(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers(), GIB // 4)
    assert run.run()
    kinds = [type(r.event) for r in run.session.rundir.records()]
    assert kinds.count(events.PeakCompared) == 2
    assert kinds.index(events.PeakCompared) < kinds.index(events.CheckpointSaved)


def test_a_training_that_goes_on_in_a_new_process_says_it_no_second_time(tmp_path: Path) -> None:
    def instead(job: Job, before: int) -> setups.Played | None:
        if isinstance(job, TrainJob) and before == 0:
            return workers.train(job, until=6)[0], setups.crashed()
        return None

    workers = Workers(instead)
    run = tuner(tmp_path, workers, GIB // 4)
    assert run.run()
    assert len(recorded(run.session, events.PeakCompared)) == 2


def test_a_neighbour_that_came_since_the_probe_is_named_before_the_training(tmp_path: Path) -> None:
    users: dict[int, list[DeviceUser]] = {0: []}
    nvml = FakeNvml([Card(0, "card", None, 8 * GIB, 7 * GIB, None)], users)
    run = tuner(tmp_path, Workers(), nvml=nvml)
    users[0] = [GAME]
    assert run.run()
    assert warnings(run.session) == ["game.exe 10 took 3.00 GiB on the card since the probe"]


def test_a_neighbour_is_named_where_memory_ran_out_and_our_own_worker_is_not(
    tmp_path: Path,
) -> None:
    users: dict[int, list[DeviceUser]] = {0: []}
    nvml = FakeNvml([Card(0, "card", None, 8 * GIB, 7 * GIB, None)], users)

    def instead(job: Job, before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob) or before > 0:
            return None
        users[0] = [GAME, DeviceUser(4242, "python", 4 * GIB)]
        ready = events.Ready(pid=4242, device="card", torch="2.13", transformers="5.24")
        return [ready], setups.failed(Failure.OUT_OF_MEMORY, "CUDA out of memory")

    run = tuner(tmp_path, Workers(instead), nvml=nvml)
    assert run.run()
    (neighbour,) = warnings(run.session)
    assert neighbour == "game.exe 10 took 3.00 GiB on the card since the probe"
    (resized,) = recorded(run.session, events.MicroBatchResized)
    assert "micro-batches of 256 tokens" in resized.after.words


def test_on_a_cpu_nobody_is_named(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers())
    assert run.run()
    assert warnings(run.session) == []


def test_a_watchdog_that_ended_a_training_is_explained(tmp_path: Path) -> None:
    text = "CUDA error: the launch timed out and was terminated"
    gone = setups.failed(Failure.POISONED, text)
    workers = Workers(
        lambda job, before: ([], gone) if isinstance(job, TrainJob) and before == 0 else None
    )
    run = tuner(tmp_path, workers)
    assert run.run()
    (message,) = warnings(run.session)
    assert text in message and "display watchdog" in message
