"""A checkpoint is scored only as it was saved: one that is damaged is made again, or has no score.

Weights with a flipped bit answer like a model all the same, only worse, and nothing would ever tell
that score from a true one. So every byte is held against the manifest before a worker loads them.
"""

from pathlib import Path

from autotune.base.files import remove_tree
from autotune.base.manifest import OPTIMIZER, entries_of, fault_of
from autotune.protocol import events
from autotune.run.session import Session
from autotune.study.next_action import Evaluate


def set_aside(session: Session, action: Evaluate) -> bool:
    """Deal with a checkpoint that is to be scored and is damaged; whether it was.

    Once, it is made again: an average from its checkpoints, another by resuming the training
    from the newest whole checkpoint, where that is one before it. Later checkpoints are not thrown
    away for it, nor is a whole training repeated: then it has no valid score.
    """
    trial, checkpoint = action.trial, action.checkpoint
    rundir = session.rundir
    fault = fault_of(rundir.checkpoint(trial.number, checkpoint))
    if fault is None:
        return False
    resumable = newest_resumable(rundir.checkpoints(trial.number))
    goes_on = trial.failure is None and trial.pruned is None
    trains_again = goes_on and 0 < resumable < checkpoint.step
    makes_again = checkpoint.averaged > 0 or trains_again
    again = makes_again and checkpoint.place not in trial.damaged
    if again:
        # Answers that are there already may be of the damaged weights; others would join them.
        remove_tree(rundir.checkpoint_eval(trial.number, checkpoint))
    session.emit(
        events.CheckpointDamaged(
            number=trial.number, checkpoint=checkpoint, fault=fault, again=again
        )
    )
    if not again:
        problem = f"damaged: {fault}"
        session.emit(events.Evaluated.without_score(trial.number, checkpoint, problem))
    return True


def newest_resumable(root: Path) -> int:
    """The step that a training in `root` would go on from, as its worker finds it; 0 for none."""
    for folder in sorted(root.glob("step-*"), reverse=True):
        step = folder.name.removeprefix("step-")
        if step.isdigit() and OPTIMIZER in (entries_of(folder) or ()) and fault_of(folder) is None:
            return int(step)
    return 0
