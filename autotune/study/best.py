"""`best/`: a copy of the best checkpoint, with a manifest of its own, and never a damaged one.

It is replaced only by what verifies. Where the checkpoint itself is gone or damaged, a `best/` that
is the copy of it and verifies is the best checkpoint. Where that is none either, the next best one
whose weights are there is.
"""

import shutil
from operator import attrgetter
from pathlib import Path

from autotune.base.errors import EnvironmentFault
from autotune.base.files import as_new_files, is_link, remove_tree
from autotune.base.leftovers import BEST_WORK
from autotune.base.manifest import (
    MANIFEST,
    OPTIMIZER,
    STATE,
    describe,
    entries_of,
    fault_of,
    mismatch,
    put_in_place,
    seal,
)
from autotune.protocol import events
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.state import StudyState
from autotune.study.model_card import CARD, write_card

NOT_COPIED = (OPTIMIZER, STATE, MANIFEST)
"""What only resuming needs, and the manifest that names it."""


def keep_best(session: Session) -> bool:
    """Have the best checkpoint whose weights are there in `best/`, and record which are lost.

    One that was lost and is back counts again.

    Returns:
        Whether another checkpoint is the best now than the record said before.

    Raises:
        EnvironmentFault: it cannot be copied.
    """
    before = session.state.best
    for scored in by_rank(session.state):
        fault = put_in_best(session, scored)
        if fault is None:
            break
        trial = session.state.trials[scored.number]
        if scored.checkpoint.place not in trial.lost:
            session.emit(
                events.BestLost(number=scored.number, checkpoint=scored.checkpoint, fault=fault)
            )
    write_card(session)
    return session.state.best is not before


def by_rank(state: StudyState) -> list[events.Evaluated]:
    """The scored checkpoints that gave back no room, the best first, of equal ones the earliest."""
    found = (e for t in state.trials for e in t.scored if e.checkpoint.name not in t.removed)
    return sorted(found, key=attrgetter("rank"), reverse=True)


def put_in_best(session: Session, best: events.Evaluated) -> str | None:
    """Have a checkpoint in `best/`, and on record; or what is wrong with its weights, in words."""
    target = session.rundir.best
    source = session.rundir.checkpoint(best.number, best.checkpoint)
    if is_link(target):
        warn(
            session,
            f"{target}: is a link, so the best checkpoint is not copied there, over what lies"
            f" elsewhere; it stays in {source}; remove the link and run the same command again",
        )
        return None
    if is_current_copy(session.rundir, session.state, best):
        return None
    fault = fault_of(source)
    if fault is None:
        copy(source, target)
    elif not adopt_existing_copy(source, target):
        return fault
    emit_kept(session, best)
    return None


def is_current_copy(rundir: RunDir, state: StudyState, best: events.Evaluated) -> bool:
    """Whether `best/` is, by the record, the copy of this checkpoint, and whole."""
    last, target = state.best_kept, rundir.best
    return (
        last is not None
        and (last.number, last.checkpoint.place) == (best.number, best.checkpoint.place)
        and _seal_of(target) == last.sha256
        and fault_of(target) is None
    )


def weights_of(rundir: RunDir, state: StudyState, best: events.Evaluated) -> Path:
    """The folder that a best checkpoint answers from: the trial's own, which was scored.

    Where that is not whole any more, `best/`, if it is the copy of it and whole.
    """
    own = rundir.checkpoint(best.number, best.checkpoint)
    copied = fault_of(own) is not None and is_current_copy(rundir, state, best)
    return rundir.best if copied else own


def emit_kept(session: Session, best: events.Evaluated) -> None:
    """Record which checkpoint `best/` is the copy of."""
    sha256 = _seal_of(session.rundir.best)
    assert sha256 is not None  # written a moment ago
    session.emit(events.BestKept(number=best.number, checkpoint=best.checkpoint, sha256=sha256))


def _seal_of(folder: Path) -> str | None:
    """The sha256 of a folder's manifest."""
    try:
        return str(describe(folder / MANIFEST)["sha256"])
    except OSError:
        return None


def copy(source: Path, target: Path) -> None:
    """Replace `target` by a sealed copy of a checkpoint, which is held against its manifest.

    Raises:
        EnvironmentFault: the disk is full, cannot be written, or gives back other bytes.
    """
    work = target.with_name(BEST_WORK)
    remove_tree(work)
    try:
        if target.exists() and not target.is_dir():
            raise OSError(f"{target.name} is a file, must be a folder")
        shutil.copytree(source, work, ignore=shutil.ignore_patterns(*NOT_COPIED))
        fault = mismatch(work, _weights_and_words(source))
        if fault is not None:
            raise OSError(f"of the copy, {fault}")
        seal(work)
        as_new_files(work)
        put_in_place(work, target)
    except OSError as error:
        remove_tree(work)
        raise EnvironmentFault(
            f"{target}: the best checkpoint cannot be copied ({error.strerror or error}); it stays"
            f" in {source}; see to the disk and run the same command again"
        ) from error


def adopt_existing_copy(source: Path, target: Path) -> bool:
    """Whether `target` is the copy of a checkpoint that is damaged now; if so, it is sealed again.

    The checkpoint's own manifest tells. Older versions sealed no copy.
    """
    entries = _weights_and_words(source)
    if not any(name.endswith(".safetensors") for name in entries):
        return False
    if mismatch(target, entries) is not None:
        return False
    (target / MANIFEST).unlink(missing_ok=True)
    seal(target, leave_out=(CARD,))
    return True


def _weights_and_words(folder: Path) -> dict[str, object]:
    """What a checkpoint's manifest says of the files that are copied."""
    named = entries_of(folder) or {}
    return {name: entry for name, entry in named.items() if name not in NOT_COPIED}


def warn(session: Session, words: str) -> None:
    """Put a warning on record."""
    session.emit(events.Warned(message=words))
