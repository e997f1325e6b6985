"""The runs of a folder at a glance: what each is about, how it stands, and its best score."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from autotune.base.errors import AutotuneError
from autotune.protocol.events import BestInFull, Evaluated, PracticeStarted, Record, RunStarted
from autotune.protocol.results import EvalReport
from autotune.run.answering import SCORES
from autotune.run.folder import EVALUATED, RunDir
from autotune.run.record_order import RecordOrder
from autotune.run.state import StudyState, replay


class Standing(StrEnum):
    """How a run stands. `met` and `done` are over; `interrupted` resumes with its command."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    DONE = "done"
    MET = "met"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class RunOverview:
    """A run of a folder; times are seconds since the epoch, None where nothing is on record.

    `run` is None where only practice data was made, `practice` where none was; `state` holds all
    that its record says, but the optimizer steps, where that could be read. An evaluation by itself
    has its score in `evaluated`, once it is over.
    """

    folder: Path
    standing: Standing
    run: RunStarted | None = None
    practice: PracticeStarted | None = None
    best: Evaluated | None = None
    trials: int = 0
    started: float | None = None
    last: float | None = None
    problem: str = ""
    state: StudyState | None = None
    is_evaluation: bool = False
    evaluated: EvalReport | None = None

    @property
    def purpose(self) -> str:
        """What it is for: `run`, `probe`, `practice` or `evaluation`."""
        if self.is_evaluation:
            return "evaluation"
        if self.run is None:
            return "practice" if self.practice is not None else "run"
        return "run" if self.run.target else "probe"

    @property
    def in_full(self) -> BestInFull | None:
        """The score of the best on all prompts of a source, where there is one."""
        return None if self.state is None else self.state.best_in_full

    @property
    def met_in_full(self) -> bool | None:
        """Whether the target is met on these; None where that is not known."""
        if self.in_full is None or self.run is None or not self.run.target:
            return None
        return self.in_full.value >= self.run.target


def overview(folder: Path) -> RunOverview | None:
    """What a folder's record says, read without its optimizer steps; None where it is no run's."""
    rundir = RunDir(folder)
    if not rundir.events.is_file():
        return None
    try:
        state = replay(in_order(rundir))
    except (AutotuneError, OSError) as error:
        problem = " ".join(str(error).split())
        return RunOverview(folder, Standing.UNREADABLE, problem=problem)
    evaluated = evaluated_in(rundir, state)
    return RunOverview(
        folder,
        standing(state, rundir.is_worked_at, evaluated),
        is_evaluation=state.run is None and rundir.eval_folder(EVALUATED).is_dir(),
        evaluated=evaluated,
        run=state.run,
        practice=state.practice,
        best=state.best,
        trials=len(state.trials),
        started=state.started,
        last=state.now,
        state=state,
    )


def in_order(rundir: RunDir) -> Iterator[Record]:
    """All records but optimizer steps; damaged lines are passed over.

    Raises:
        EnvironmentFault: one was the beginning of a trial, so that what follows is of none.
    """
    order = RecordOrder()
    for record in rundir.record.without_steps():
        if order.fault_of(record.event) is not None:
            deque(rundir.records(), maxlen=0)  # says which line is damaged, and what to do
        yield record


def evaluated_in(rundir: RunDir, state: StudyState) -> EvalReport | None:
    """What came of an evaluation by itself; None of a run, and where it is not over."""
    if state.run is not None:
        return None
    try:
        scores = rundir.eval_folder(EVALUATED) / SCORES
        return EvalReport.model_validate_json(scores.read_bytes())
    except (OSError, ValidationError):
        return None


def standing(state: StudyState, worked_at: bool, evaluated: EvalReport | None = None) -> Standing:
    """How a run stands by its record, and by whether a process works at it.

    `evaluated` is what came of an evaluation by itself, whose record says no more than its start.
    """
    if worked_at:
        return Standing.RUNNING
    if evaluated is not None:
        return Standing.DONE
    if state.ended is not None:
        return Standing.MET if state.ended.met else Standing.DONE
    if state.run is not None and not state.run.target and state.fit is not None:
        return Standing.DONE
    only_practice = state.run is None and state.practice is not None
    return Standing.DONE if only_practice and state.in_practice is None else Standing.INTERRUPTED


def runs_in(parent: Path) -> list[RunOverview]:
    """The runs in a folder, the newest first: by their last record."""
    found = [each for path in sorted(parent.iterdir()) if (each := _of(path)) is not None]
    return sorted(found, key=lambda each: each.last or 0.0, reverse=True)


def _of(path: Path) -> RunOverview | None:
    return overview(path) if path.is_dir() else None
