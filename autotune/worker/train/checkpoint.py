"""Checkpoints: plain Hugging Face folders, saved whole or not at all, and which of them stay.

A folder is written under a temporary name, every file is flushed, a manifest with sizes and
sha256 comes last, and one rename makes it a checkpoint. Safetensors and JSON only.
"""

import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from autotune.base.disk import RESUMABLE, SPARE_SAVES, folder_bytes
from autotune.base.errors import BadInput
from autotune.base.files import remove_tree
from autotune.base.manifest import (
    OPTIMIZER,
    STATE,
    discard,
    drop_optimizer,
    entries_of,
    put_in_place,
    seal,
    sweep,
    verified,
)
from autotune.base.sizes import show_size
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.plan import TrainPlan
from autotune.protocol.results import Checkpoint
from autotune.worker.channel import Pipe
from autotune.worker.faults import JobFault
from autotune.worker.model import Loaded
from autotune.worker.tokens.saved import save_tokenizer
from autotune.worker.train.step import Stepper
from autotune.worker.weights import load_weights


class DiskFull(JobFault):
    """There is no room for a checkpoint; the ones before it are whole."""

    failure = Failure.DISK


@dataclass(frozen=True, slots=True)
class Found:
    """The newest checkpoint that verifies, and the names of those that do not.

    `others` names whole ones of a training with another identity.
    """

    folder: Path | None
    step: int
    incomplete: tuple[str, ...]
    others: tuple[str, ...] = ()


def folder_name(step: int) -> str:
    """The folder of a step's checkpoint; zero-padded so that names sort as steps do."""
    return f"step-{step:06d}"


def save(
    root: Path, loaded: Loaded, stepper: Stepper, step: int, identity: str, *, moments: bool = True
) -> Path:
    """Write the checkpoint of a finished step and return its folder.

    Without `moments` it holds the weights and no optimizer: a third of the bytes, to be scored and
    not to be resumed from.

    Raises:
        DiskFull: less is free than twice what it takes, or the disk filled up while writing.
    """
    final = root / folder_name(step)
    with whole_folder(final) as work:
        optimizer = optimizer_tensors(stepper) if moments else {}
        save_tokenizer(loaded.tokenizer, work, int(loaded.model.config.max_position_embeddings))
        demand_room(root, tensor_bytes(loaded.model.parameters(), optimizer.values()), work)
        loaded.model.save_pretrained(work, safe_serialization=True)
        if moments:
            save_file(optimizer, work / OPTIMIZER)
        state = {"step": step, "identity": identity, **stepper.numbers()}
        (work / STATE).write_text(json.dumps(state), encoding="utf-8")
    return final


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """A folder to write into that becomes `final`, sealed, when all went well, and goes otherwise.

    Raises:
        DiskFull: the disk filled up, or cannot be written.
    """
    work = final.with_name(f".{final.name}.tmp")
    try:
        remove_tree(work)
        work.mkdir(parents=True)
        yield work
        seal(work)
        put_in_place(work, final)
    except (OSError, SafetensorError) as error:  # safetensors has its own error for a full disk
        shutil.rmtree(work, ignore_errors=True)
        reason = getattr(error, "strerror", None) or error
        raise DiskFull(f"{final.parent}: checkpoint not written ({reason})") from error
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def demand_room(root: Path, tensors: int, work: Path) -> None:
    """Refuse a checkpoint of `tensors` bytes, and what is in `work` already, on a disk so full.

    Raises:
        DiskFull: less is free than `SPARE_SAVES` times that.
    """
    takes = tensors + folder_bytes(work)
    free = shutil.disk_usage(root).free
    if free < SPARE_SAVES * takes:
        raise DiskFull(
            f"{root}: a checkpoint takes {show_size(takes)}, {SPARE_SAVES} times that must be free"
            f" and {show_size(free)} is"
        )


def tensor_bytes(*groups: Any) -> int:
    """Bytes of all tensors in these groups, as they lie in a file."""
    return sum(t.numel() * t.element_size() for group in groups for t in group)


def optimizer_tensors(stepper: Stepper) -> dict[str, torch.Tensor]:
    """The optimizer's state as flat tensors, named by the parameter's place and their own name."""
    state = stepper.optimizer.state_dict()["state"]
    return {
        f"{place}.{name}": torch.as_tensor(value).contiguous()
        for place, values in state.items()
        for name, value in values.items()
    }


def newest(root: Path, identity: str) -> Found:
    """The newest verified checkpoint of this identity that holds an optimizer."""
    best: tuple[Path | None, int] = (None, 0)
    incomplete = [p.name for p in root.glob(".step-*.tmp")]
    others = []
    for folder in sorted(root.glob("step-*"), reverse=True):
        if not verified(folder):
            incomplete.append(folder.name)
            continue
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if state["identity"] != identity:
            others.append(folder.name)
        elif best[0] is None and OPTIMIZER in (entries_of(folder) or ()):
            best = (folder, int(state["step"]))
    return Found(*best, tuple(incomplete), tuple(others))


def restore(folder: Path, stepper: Stepper) -> None:
    """Put weights, optimizer, precision and scaler back as they were, bit for bit."""
    # Through transformers, which knows how it named what it saved and which weights are tied.
    stepper.loaded.model.load_state_dict(load_weights(folder).state_dict())
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in load_file(folder / OPTIMIZER, device="cpu").items():
        place, key = name.split(".", 1)
        # A copy: what is loaded is a map of the file, which Windows would then refuse to delete.
        state.setdefault(int(place), {})[key] = tensor.clone()
    whole = stepper.optimizer.state_dict()
    stepper.optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
    stepper.put_back(json.loads((folder / STATE).read_text(encoding="utf-8")))


def weights_moved(before: Path, model: Any) -> float:
    """|after - before| / |before| over all weights, read from the folder one tensor at a time."""
    now = {name: p.detach() for name, p in model.named_parameters()}
    moved = size = 0.0
    for path in weight_files(before):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (safe_open is not a mapping)
                if name in now:
                    old = file.get_tensor(name).float()
                    moved += float((now[name].cpu() - old).square().sum())
                    size += float(old.square().sum())
    return (moved / size) ** 0.5 if size else 0.0


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder that hold the model's weights."""
    return [p for p in sorted(folder.glob("*.safetensors")) if p.name != OPTIMIZER]


def resume(root: Path, stepper: Stepper, plan: TrainPlan, pipe: Pipe) -> int:
    """Restore the newest verified checkpoint; returns the step that is done (0 for none).

    The parent may have died between a save and its record of it, so scored checkpoints that are
    on disk are reported again.

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
    for name in found.incomplete:
        remove_tree(root / name)
    if found.folder is not None:
        restore(found.folder, stepper)
    if found.folder is not None or found.incomplete:
        pipe.emit(events.Resumed(step=found.step, torn=found.incomplete))
    for step in plan.checkpoint_steps:
        folder = root / folder_name(step)
        if step <= found.step and verified(folder):
            saved = Checkpoint(step=step, progress=step / plan.total_steps, folder=str(folder))
            pipe.emit(events.CheckpointSaved(checkpoint=saved, scored=True))
    return found.step


def retain(root: Path, scored: Collection[int]) -> None:
    """The two newest that can be resumed from stay whole; of the others the scored keep weights.

    `scored` holds the steps whose checkpoints will be judged. What is here is whole: it was sealed
    by this process, or verified when it resumed.
    """
    keep = {folder_name(step) for step in scored}
    folders = sorted(root.glob("step-*"))
    resumable = [folder for folder in folders if OPTIMIZER in (entries_of(folder) or ())]
    for folder in folders:
        if folder in resumable[-RESUMABLE:]:
            continue
        if folder.name in keep:
            drop_optimizer(folder)
        else:
            discard(folder)
