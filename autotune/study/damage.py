"""A checkpoint is scored only as it was saved: one that is damaged is made again, or has no score.

Weights with a flipped bit answer like a model all the same, only worse, and nothing would ever tell
that score from a true one. So every byte is held against the manifest before a worker loads them.
"""

from pathlib import Path

from autotune.base.files import remove_tree
from autotune.base.manifest import OPTIMIZER, entries_of, fault_of
from autotune.protocol import events
from autotune.protocol.save_pace import MOST_UNSAVED_SECONDS
from autotune.run.session import Session
from autotune.run.trial_state import TrialState
from autotune.study.next_action import Evaluate


def set_aside(session: Session, action: Evaluate) -> bool:
    """Deal with a checkpoint that is to be scored and is damaged; whether it was.

    Once, it is made again: an average from its checkpoints, another by resuming the training
    from the newest whole checkpoint, where that is one before it, or by training from the beginning
    where that took no longer than a crash may cost. Nothing is trained again with a later
    checkpoint there, nor is a long training: then it has no valid score.
    """
    trial, checkpoint = action.trial, action.checkpoint
    rundir = session.rundir
    fault = fault_of(rundir.checkpoint(trial.number, checkpoint))
    if fault is None:
        return False
    resumable = newest_resumable(rundir.checkpoints(trial.number))
    goes_on = trial.failure is None and trial.pruned is None
    begins_again = is_short(trial) and checkpoint.step == max(s for s, _ in trial.checkpoints)
    trains_again = goes_on and (0 < resumable < checkpoint.step or (not resumable and begins_again))
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


def is_short(trial: TrialState) -> bool:
    """Whether a training took, in all its processes, no longer than it may go without a save."""
    seconds = trial.clock.training_seconds
    return seconds is not None and seconds <= MOST_UNSAVED_SECONDS


def newest_resumable(root: Path) -> int:
    """The step that a training in `root` would go on from, as its worker finds it; 0 for none."""
    for folder in sorted(root.glob("step-*"), reverse=True):
        step = folder.name.removeprefix("step-")
        if step.isdigit() and OPTIMIZER in (entries_of(folder) or ()) and fault_of(folder) is None:
            return int(step)
    return 0
