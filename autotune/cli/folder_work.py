"""What a run folder is for: a run, practice data, or an evaluation by itself.

None is taken up for another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autotune.config.profile import Train
from autotune.protocol.events import BaselineInFull, BestInFull, Record, RunEnded
from autotune.run.answering import SCORES
from autotune.run.folder import EVALUATED, RunDir


@dataclass(frozen=True, slots=True)
class FolderWork:
    """One kind of work that is kept in a folder, and resumes there.

    `noun` is what the folder holds then, `prefix` begins the name of a new one. `may_change` are
    places of the profile, `table` or `table.key`, that may be others when it resumes. `is_over`
    says by a record whether there is nothing more to do.
    """

    noun: str
    prefix: str
    may_change: tuple[str, ...]
    is_over: Callable[[RunDir], bool]

    def unfinished(self, folder: Path) -> bool:
        """Whether a folder's record says that there is more to do, and nobody is doing it."""
        rundir = RunDir(folder)
        if rundir.in_use or rundir.record.last() is None:
            return False
        held = work_in(folder)
        return (held is self or (held is None and self is RUN)) and not self.is_over(rundir)


def work_in(folder: Path) -> FolderWork | None:
    """What a folder is for, as its record says; None where that is not decided yet.

    The record of an evaluation by itself does not say: the folder of its answers does.
    """
    rundir = RunDir(folder)
    if next(rundir.record.of_kind("run_started"), None) is not None:
        return RUN
    if next(rundir.record.of_kind("practice_started"), None) is not None:
        return PRACTICE
    return EVALUATION if rundir.eval_folder(EVALUATED).is_dir() else None


def _run_is_over(rundir: RunDir) -> bool:
    last = rundir.record.last()
    # What `eval` of its best adds is a word after the last one.
    if last is not None and isinstance(last.event, (BestInFull, BaselineInFull)):
        last = _newest(rundir, "run_started", "run_ended")
    return last is not None and isinstance(last.event, RunEnded)


def _practice_is_over(rundir: RunDir) -> bool:
    last = _newest(rundir, "practice_started", "practice_made")
    return last is not None and last.event.kind == "practice_made"


def _evaluation_is_over(rundir: RunDir) -> bool:
    return (rundir.eval_folder(EVALUATED) / SCORES).is_file()


def _newest(rundir: RunDir, *kinds: str) -> Record | None:
    """The newest record of some kinds of event; of two at one moment that of the later kind."""
    found = [record for kind in kinds for record in rundir.record.of_kind(kind)]
    return max(found, key=lambda each: (each.time, kinds.index(each.event.kind)), default=None)


RUN = FolderWork(
    "a run",
    "",
    (
        *(
            f"study.{key}"
            for key in (
                *("max_hours", "max_trials", "stop_at_target", "strategies"),
                *("sampler", "startup_trials"),
            )
        ),
        "machine.tflops",
    ),
    _run_is_over,
)
"""What may change of `[study]` says when a run ends or who draws: one that is given more hours goes
on where it was, and a draw sees the trials that there are, whoever drew them. How fast a card is
matters to a plan only."""

_OF_PRACTICE = {"seed", "supervision"}
"""What of `[train]` practice data is made by: the seed, and how a model without a chat template is
asked."""

PRACTICE = FolderWork(
    "practice data",
    "synth-",
    (
        *("data", "probe", "watch", "strategy", "study", "evaluate"),
        *(f"train.{key}" for key in Train.model_fields if key not in _OF_PRACTICE),
        *("synth.tasks", "synth.samples", "synth.max_words", "synth.max_conversations"),
        "synth.refuse_unasked",
        "machine.tflops",
    ),
    _practice_is_over,
)
"""What may change has no part in it, or asks for more or fewer of the same: the first tasks and the
first samples are the same in any number of them."""

EVALUATION = FolderWork("an evaluation", "eval-", RUN.may_change, _evaluation_is_over)
"""Of one model, by `eval`."""
