"""A computer that sleeps in the middle of a job: nothing is lost, ended or taken for slow."""

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from autotune.launch import JobResult, SubprocessRunner
from autotune.launch.clock import running_seconds
from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent, WorkerEvent
from autotune.protocol.failure import Failure
from autotune.run.state import replay
from autotune.screen.job import current_job
from autotune.screen.time_left import Pace, whole_run
from tests import records, screens
from tests.launch.test_workers import HEAD, job

NIGHT = 7800.0


def jumping(at: int) -> Callable[[], float]:
    """This machine's clock, a night ahead from the look with this number on."""
    looks = itertools.count()
    return lambda: running_seconds() + (NIGHT if next(looks) >= at else 0.0)


def run(folder: Path, code: str, clock: Callable[[], float]) -> tuple[JobResult, list[WorkerEvent]]:
    emitted: list[WorkerEvent] = []
    runner = SubprocessRunner((sys.executable, "-c", HEAD + code), clock=clock)
    return runner.run(job(folder), folder, emitted.append, silence_seconds=5.0), emitted


# With a poll each tenth of a second, look 8 is in the middle of the wait of a second and a half.
WORKS = 'time.sleep(1.5)\nsay(kind="phase", name="forward")'


def test_a_worker_that_wakes_with_the_computer_goes_on_and_the_pause_is_reported(
    tmp_path: Path,
) -> None:
    ending, emitted = run(tmp_path, WORKS, jumping(8))
    assert ending.failure is None
    slept, phase = emitted
    assert isinstance(slept, events.Slept)
    assert NIGHT <= slept.seconds < NIGHT + 30
    assert phase == events.Phase(name="forward")
    assert ending.seconds < 60


def test_a_worker_that_works_tells_no_pause(tmp_path: Path) -> None:
    _, emitted = run(tmp_path, WORKS, running_seconds)
    assert emitted == [events.Phase(name="forward")]


def test_a_worker_that_hangs_after_a_pause_is_still_ended(tmp_path: Path) -> None:
    emitted: list[WorkerEvent] = []
    runner = SubprocessRunner((sys.executable, "-c", "import time; time.sleep(60)"), jumping(3))
    ending = runner.run(job(tmp_path), tmp_path, emitted.append, silence_seconds=1.5)
    assert ending.failure is Failure.TIMED_OUT
    assert [type(event) for event in emitted] == [events.Slept]


def test_the_clock_goes_on_and_is_not_moved_by_the_date() -> None:
    assert 0 <= running_seconds() - running_seconds() + 1 <= 1


def slept_at(step: int, *, counted: bool, late: bool = False) -> list[Record]:
    """A training of 3-second steps that slept during `step`; `counted`: its clock went on.

    `late`: the step before was done, and told only after the pause.
    """
    found = []
    for record in records.training(step + 1):
        event = record.event
        at = event.step if isinstance(event, events.StepDone) else None
        before = step - 1 if late else step
        if at == before:
            found.append(Record(time=record.time, event=events.Slept(seconds=NIGHT)))
        if at == step and counted:
            event = event.model_copy(update={"seconds": NIGHT + 3.0})
        moved = NIGHT if at is not None and at >= before else 0.0
        found.append(Record(time=record.time + moved, event=event))
    return found


@pytest.mark.parametrize("counted", [False, True], ids=["linux", "windows"])
@pytest.mark.parametrize("late", [False, True], ids=["", "step told late"])
def test_speed_and_time_left_leave_a_sleep_out(counted: bool, late: bool) -> None:
    awake, slept = job_of(records.training(8)), job_of(slept_at(7, counted=counted, late=late))
    assert slept == awake
    assert "800 tokens/s" in slept[0]


def job_of(told: Sequence[Record]) -> tuple[str, str | None]:
    state = replay(told)
    job = current_job(state, Pace(), told[-1].time)
    assert job is not None
    return job.line, whole_run(state, job.left, told[-1].time)


def test_a_long_step_after_a_pause_is_not_shortened_for_good() -> None:
    trial = replay(slept_at(7, counted=False)).trials[0]
    later = records.step_done(12, 12, seconds=NIGHT + 5)
    assert trial.telemetry.awake_seconds(later) == NIGHT + 5


def answered(done: int) -> RunEvent:
    return events.Answered(done=done, total=20, new_tokens=90 * done, seconds=2.0 * done)


def test_the_time_left_of_an_evaluation_leaves_a_sleep_out() -> None:
    pace = Pace()
    for time, event in (
        (0.0, answered(1)),
        (2.0, answered(2)),
        (NIGHT, events.Slept(seconds=NIGHT)),
        (NIGHT + 2, answered(3)),
        (NIGHT + 4, answered(4)),
    ):
        pace.on_record(Record(time=time, event=event))
    assert pace.left_seconds(20, NIGHT + 4) == 32.0


def test_a_person_reads_how_long_nothing_ran() -> None:
    told = slept_at(7, counted=True)
    lines = screens.plain_lines(told)
    assert (
        "nothing ran for 2 h 10 min: the computer slept or the program was stopped; nothing is"
        " lost, and speed and time left leave it out"
    ) in lines
