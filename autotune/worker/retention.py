"""Which checkpoints of a training stay on disk, and with which of them it goes on."""

from collections.abc import Collection
from pathlib import Path

from autotune import events
from autotune.disk import RESUMABLE
from autotune.errors import BadInput
from autotune.files import remove_tree
from autotune.manifest import discard, drop_optimizer, sweep, verified
from autotune.outcome import Checkpoint
from autotune.plan import TrainPlan
from autotune.worker.checkpoint import folder_name, newest, restore
from autotune.worker.pipe import Pipe
from autotune.worker.step import Stepper


def resume(root: Path, stepper: Stepper, plan: TrainPlan, pipe: Pipe) -> int:
    """Restore the newest verified checkpoint; returns the step that is done (0 for none).

    The parent may have died between a save and its record of it, so scored checkpoints that are
    on disk are told again.

    Raises:
        BadInput: the folder holds checkpoints of a training with other numbers.
    """
    sweep(root)
    found = newest(root, plan.identity)
    if found.others:
        raise BadInput(
            f"{root / found.others[0]}: was saved by a training with other settings (not"
            f" {plan.identity}), must be of the same learning rate, data and all else that changes"
            " the weights; train into another folder"
        )
    for name in found.torn:
        remove_tree(root / name)
    if found.folder is not None:
        restore(found.folder, stepper)
    if found.folder is not None or found.torn:
        pipe.emit(events.Resumed(step=found.step, torn=found.torn))
    for step in plan.checkpoint_steps:
        folder = root / folder_name(step)
        if step <= found.step and verified(folder):
            saved = Checkpoint(step=step, progress=step / plan.total_steps, folder=str(folder))
            pipe.emit(events.CheckpointSaved(checkpoint=saved, scored=True))
    return found.step


def retain(root: Path, scored: Collection[int]) -> None:
    """The two newest stay whole; of older ones the scored keep their weights, the others go.

    `scored` holds the steps whose checkpoints will be judged. What is here is whole: it was sealed
    by this process, or verified when it resumed.
    """
    keep = {folder_name(step) for step in scored}
    for folder in sorted(root.glob("step-*"))[:-RESUMABLE]:
        if folder.name in keep:
            drop_optimizer(folder)
        else:
            discard(folder)
