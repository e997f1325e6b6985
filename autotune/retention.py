"""Which checkpoints keep their weights when a trial is over: its best, and what has no score.

The rest are judged and give their room back. What they scored is in the record, and so is that
they are gone, written before they go.
"""

from collections.abc import Iterator
from pathlib import Path

from autotune import events
from autotune.disk import folder_bytes
from autotune.files import remove_tree
from autotune.manifest import OPTIMIZER, discard, drop_optimizer, sweep
from autotune.session import Session
from autotune.study import TrialState


def settle_checkpoints(session: Session) -> None:
    """Remove what the trials that are over do not keep; what was begun before is finished."""
    for trial in session.state.trials:
        if trial.ended is not None:
            give_back(session, trial)


def give_back(session: Session, trial: TrialState) -> None:
    """Remove the judged checkpoints of a trial that is over, and optimizers that nobody resumes."""
    root = session.rundir.checkpoints(trial.number)
    if not root.is_dir():
        return
    sweep(root)
    for half in root.glob(".*.tmp"):  # nobody goes on with a trial that is over
        remove_tree(half)
    going = [root / name for name in to_go(trial) if (root / name).is_dir()]
    # What only served resuming: between scored checkpoints, and never judged.
    spare = [p for p in unscored_folders(root, trial) if trial.failure is None]
    moments = [p for p in root.glob(f"*/{OPTIMIZER}") if p.parent not in (*going, *spare)]
    new = tuple(p.name for p in (*going, *spare) if p.name not in trial.removed)
    if new:
        freed = sum(folder_bytes(p) for p in (*going, *spare))
        freed += sum(p.stat().st_size for p in moments)
        session.note(events.CheckpointsRemoved(number=trial.number, names=new, freed_bytes=freed))
    for folder in (*going, *spare):
        discard(folder)
    for path in moments:
        drop_optimizer(path.parent)


def to_go(trial: TrialState) -> list[str]:
    """The names of the checkpoints that have a score and are not the best of their trial."""
    best = trial.best
    return [
        e.checkpoint.name
        for e in trial.evaluations.values()
        if e.score is not None and best is not None and e.checkpoint != best.checkpoint
    ]


def unscored_folders(root: Path, trial: TrialState) -> Iterator[Path]:
    """The checkpoints on disk that were saved for resuming only."""
    scored = {c.name for c in trial.checkpoints.values()}
    return (p for p in sorted(root.glob("step-*")) if p.name not in scored)
