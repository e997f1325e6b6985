"""A run whose record is damaged resumes from what stands before it. Nothing is thrown away.

The scores of checkpoints that were saved before the damage are kept as well.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from autotune.base.errors import EnvironmentFault
from autotune.base.files import move
from autotune.base.format import counted
from autotune.protocol.events import CheckpointsRemoved, Evaluated, Record
from autotune.run.folder import RunDir
from autotune.run.record_file import Damage, RecordFile, free_name
from autotune.run.state import replay

_NUMBER = re.compile(r"(?:trial-)?(\d+)(?:-[^.]*)?")
"""The number of a trial in the name of its folder, or of an evaluation of its checkpoints."""


def salvage(rundir: RunDir) -> str:
    """Keep what the record says before its first damaged line; says what came of it.

    Trials that the record does not know any more are set aside, so that others of their number do
    not go on from their checkpoints or take their answers for their own.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written.
    """
    damage = rundir.record.find_damage()
    if damage is None:
        return f"{rundir.events.name}: no line is damaged, so nothing had to be salvaged"
    aside = [set_aside(folder) for folder in unknown_folders(rundir, damage.trials)]
    scores = scores_after(rundir.record, damage)
    # Last, so that whoever dies before finds the damage again and does the rest.
    kept = rundir.record.keep_before(damage, scores)
    also = ""
    if count := sum(isinstance(record.event, Evaluated) for record in scores):
        also = f" and {counted(count, 'score')} after it"
    more = ""
    if aside:
        are = "is" if len(aside) == 1 else "are"
        more = f"; {counted(len(aside), 'folder')} of trials after it {are} set aside as well"
    return (
        f"{rundir.events.name}:{damage.line} was not a record ({damage.reason}): the run resumes"
        f" from the {counted(damage.line - 1, 'line')} before it{also}; the file as it was is"
        f" {kept.name}{more}"
    )


def scores_after(record: RecordFile, damage: Damage) -> list[Record]:
    """What the lines after a damaged one say of checkpoints that were saved before it.

    Their weights may be gone since: once judged, those that were not the best were removed. What
    they scored is true whatever was lost between, and nobody could find it out again.
    """
    state = replay(record.before(damage))
    if not state.trials:
        return []
    trial = state.trials[-1]  # whatever was said of an earlier one stands before it began
    scored = [
        each
        for each in record.of_kind("evaluated", after=damage.line)
        if isinstance(event := each.event, Evaluated)
        and event.number == trial.number
        and event.score is not None
        and event.checkpoint == trial.checkpoints.get(event.checkpoint.place)
    ]
    return [*scored, *_removals(record, damage, trial.number, scored)]


def _removals(
    record: RecordFile, damage: Damage, trial: int, scored: Sequence[Record]
) -> Iterator[Record]:
    """That weights of these scored checkpoints were removed, where the record says so."""
    names = {each.event.checkpoint.name for each in scored if isinstance(each.event, Evaluated)}
    for each in record.of_kind("checkpoints_removed", after=damage.line):
        event = each.event
        if isinstance(event, CheckpointsRemoved) and event.number == trial:
            gone = tuple(name for name in event.names if name in names)
            if gone:
                yield Record(time=each.time, event=event.model_copy(update={"names": gone}))


def unknown_folders(rundir: RunDir, trials: int) -> list[Path]:
    """The folders of trials from number `trials` on: their checkpoints, and their evaluations."""
    parents = (rundir.trial_folder(0).parent, rundir.eval_folder("untrained").parent)
    found = [path for parent in parents if parent.is_dir() for path in sorted(parent.iterdir())]
    numbers = {path: _NUMBER.fullmatch(path.name) for path in found}
    return [path for path in found if (at := numbers[path]) and int(at.group(1)) >= trials]


def set_aside(folder: Path) -> Path:
    """Give a folder another name beside its own."""
    aside = free_name(folder.with_name(f"{folder.name}.damaged"))
    try:
        move(folder, aside)
    except OSError as error:
        raise EnvironmentFault(
            f"{folder}: cannot be set aside ({error.strerror or error}); close what uses it, then"
            " run the same command again"
        ) from error
    return aside
