"""A run whose record is damaged resumes from what stands before it. Nothing is thrown away.

The scores of checkpoints that were saved before the damage are kept as well.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from autotune.base.errors import EnvironmentFault
from autotune.base.files import move
from autotune.base.format import counted
from autotune.base.manifest import verified
from autotune.protocol.events import CheckpointsRemoved, Evaluated, Record
from autotune.run.folder import RunDir, checkpoint_of
from autotune.run.record_file import Damage, RecordFile, free_name
from autotune.run.state import StudyState, replay


def salvage(rundir: RunDir) -> str:
    """Keep what the record says before its first damaged line; says what came of it.

    Trials that the record does not know any more are set aside, so that others of their number do
    not go on from their checkpoints or take their answers for their own. So are answers of the last
    one that it knows, where their checkpoint may be trained again.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written.
    """
    damage = rundir.record.find_damage()
    if damage is None:
        return f"{rundir.events.name}: no line is damaged, so nothing had to be salvaged"
    state = replay(rundir.record.before(damage))
    scores = scores_after(rundir.record, damage, state)
    aside = [set_aside(folder) for folder in unknown_folders(rundir, state, scores)]
    # Last, so that whoever dies before finds the damage again and does the rest.
    kept = rundir.record.keep_before(damage, scores)
    also = ""
    if count := sum(isinstance(record.event, Evaluated) for record in scores):
        also = f" and {counted(count, 'score')} after it"
    more = ""
    if aside:
        are = "is" if len(aside) == 1 else "are"
        more = f"; {counted(len(aside), 'folder')} of what came after it {are} set aside as well"
    return (
        f"{rundir.events.name}:{damage.line} was not a record ({damage.reason}): the run resumes"
        f" from the {counted(damage.line - 1, 'line')} before it{also}; the file as it was is"
        f" {kept.name}{more}"
    )


def scores_after(record: RecordFile, damage: Damage, state: StudyState) -> list[Record]:
    """What the lines after a damaged one say of checkpoints that were saved before it (`state`).

    Their weights may be gone since: once judged, those that were not the best were removed. What
    they scored is true whatever was lost between, and nobody could find it out again.
    """
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


def unknown_folders(rundir: RunDir, state: StudyState, scores: Sequence[Record]) -> list[Path]:
    """The folders of trials that are not on record, and answers that would become another model's.

    `scores` are on record beside `state`.
    """
    trials, evaluations = rundir.trial_folder(0).parent, rundir.eval_folder("untrained").parent
    found = [path for path in folders_in(trials) if path.name.isdecimal()]
    unknown = [path for path in found if int(path.name) >= len(state.trials)]
    for path in folders_in(evaluations):
        of = checkpoint_of(path.name)
        if of is not None and not stays(rundir, of, state, scores):
            unknown.append(path)
    return unknown


def folders_in(parent: Path) -> list[Path]:
    """What a folder holds, by name; nothing where it is not there."""
    return sorted(parent.iterdir()) if parent.is_dir() else []


def stays(rundir: RunDir, of: tuple[int, str], state: StudyState, scores: Sequence[Record]) -> bool:
    """Whether answers are of this checkpoint of a trial and of no other that is trained later.

    The last trial on record may be trained again from where its weights are whole. What it comes to
    again has the name that it had. Nobody asks again where there is a score of all answers.
    """
    number, name = of
    if number >= len(state.trials):
        return False
    trial = state.trials[number]
    if number < len(state.trials) - 1 or trial.ended is not None:
        return True
    judged = [*trial.evaluations.values(), *(record.event for record in scores)]
    if any(
        isinstance(e, Evaluated) and e.checkpoint.name == name and e.partial is None for e in judged
    ):
        return True
    # An average follows from others, which may be trained again.
    from_steps = name.startswith("average") and name not in {
        checkpoint.name for checkpoint in trial.checkpoints.values()
    }
    return not from_steps and verified(rundir.checkpoints(number) / name)


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
