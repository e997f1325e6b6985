"""Checkpoints: plain Hugging Face folders, saved whole or not at all, verified before use.

A folder is written under a temporary name, every file is flushed, a manifest with sizes and
sha256 comes last, and one rename makes it a checkpoint. Safetensors and JSON only.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from autotune.files import sync_folder, write_text_atomic
from autotune.worker.model import Loaded, load_weights
from autotune.worker.step import Stepper

MANIFEST = "manifest.json"
OPTIMIZER = "optimizer.safetensors"
STATE = "trainer_state.json"
_SCALER = ("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")


class DiskFull(Exception):
    """There is no room for a checkpoint; the ones before it are whole."""


@dataclass(frozen=True, slots=True)
class Found:
    """The newest checkpoint that verifies, and the names of those that do not."""

    folder: Path | None
    step: int
    torn: tuple[str, ...]


def folder_name(step: int) -> str:
    """The folder of a step's checkpoint; zero-padded so that names sort as steps do."""
    return f"step-{step:06d}"


def save(root: Path, loaded: Loaded, stepper: Stepper, step: int, identity: str) -> Path:
    """Write the checkpoint of a finished step and return its folder.

    Raises:
        DiskFull: less is free than the checkpoint takes, or the disk filled up while writing.
    """
    final = root / folder_name(step)
    work = root / f".{final.name}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
    # Weights and two Adam moments of the same size, and a tenth for the tokenizer and the rest.
    if shutil.disk_usage(root).free < 3.1 * weights:
        shutil.rmtree(work, ignore_errors=True)
        raise DiskFull(f"{root}: a checkpoint takes {3.1 * weights / 2**30:.1f} GiB, less is free")
    try:
        loaded.model.save_pretrained(work, safe_serialization=True)
        loaded.tokenizer.save_pretrained(work)
        save_file(optimizer_tensors(stepper), work / OPTIMIZER)
        scaler = stepper.scaler.state_dict()
        state = {
            "step": step,
            "identity": identity,
            "skipped_steps": stepper.skipped_steps,
            "scaler": {k: scaler[k] for k in _SCALER if k in scaler},
        }
        (work / STATE).write_text(json.dumps(state), encoding="utf-8")
        seal(work)
    except (OSError, SafetensorError) as error:  # safetensors has its own error for a full disk
        shutil.rmtree(work, ignore_errors=True)
        reason = getattr(error, "strerror", None) or error
        raise DiskFull(f"{root}: checkpoint not written ({reason})") from error
    shutil.rmtree(final, ignore_errors=True)
    work.replace(final)
    sync_folder(root)
    return final


def optimizer_tensors(stepper: Stepper) -> dict[str, torch.Tensor]:
    """AdamW's state as flat tensors, named by the parameter's place and the state's name."""
    state = stepper.optimizer.state_dict()["state"]
    return {
        f"{place}.{name}": torch.as_tensor(value).contiguous()
        for place, values in state.items()
        for name, value in values.items()
    }


def seal(folder: Path) -> None:
    """Flush every file and write the manifest last."""
    entries = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        entries[path.relative_to(folder).as_posix()] = describe(path)
    manifest = folder / MANIFEST
    with manifest.open("w", encoding="utf-8") as file:
        json.dump(entries, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def describe(path: Path) -> dict[str, Any]:
    """Size in bytes and sha256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": digest}


def verified(folder: Path) -> bool:
    """Whether every file the manifest names is there, whole and unchanged."""
    try:
        entries = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return all(describe(folder / name) == entry for name, entry in entries.items())
    except (OSError, ValueError):
        return False


def newest(root: Path, identity: str) -> Found:
    """The newest verified checkpoint of this identity that holds an optimizer."""
    torn = [p.name for p in root.glob(".step-*.tmp")]
    for folder in sorted(root.glob("step-*"), reverse=True):
        if not verified(folder):
            torn.append(folder.name)
            continue
        if not (folder / OPTIMIZER).exists():
            continue
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if state["identity"] == identity:
            return Found(folder, int(state["step"]), tuple(torn))
    return Found(None, 0, tuple(torn))


def restore(folder: Path, stepper: Stepper) -> None:
    """Put weights, optimizer and scaler back as they were, bit for bit."""
    # Through transformers, which knows how it named what it saved and which weights are tied.
    stepper.loaded.model.load_state_dict(load_weights(folder).state_dict())
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in load_file(folder / OPTIMIZER, device="cpu").items():
        place, key = name.split(".", 1)
        # A copy: what is loaded is a map of the file, which Windows would then refuse to delete.
        state.setdefault(int(place), {})[key] = tensor.clone()
    whole = stepper.optimizer.state_dict()
    stepper.optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
    kept = json.loads((folder / STATE).read_text(encoding="utf-8"))
    stepper.skipped_steps = int(kept["skipped_steps"])
    if stepper.scaler.is_enabled() and kept["scaler"]:
        stepper.scaler.load_state_dict(kept["scaler"])


def drop_optimizer(folder: Path) -> None:
    """Keep a scored checkpoint's weights and free the two thirds that only resuming needs.

    The manifest is rewritten first, so that the folder verifies before and after.
    """
    manifest = folder / MANIFEST
    entries = json.loads(manifest.read_text(encoding="utf-8"))
    if entries.pop(OPTIMIZER, None) is None:
        return
    write_text_atomic(manifest, json.dumps(entries, indent=1))
    (folder / OPTIMIZER).unlink(missing_ok=True)


def weights_moved(before: Path, model: Any) -> float:
    """|after - before| / |before| over all weights, read from the folder one tensor at a time."""
    now = {name: p.detach() for name, p in model.named_parameters()}
    moved = size = 0.0
    for path in sorted(before.glob("*.safetensors")):
        if path.name == OPTIMIZER:
            continue
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (safe_open is not a mapping)
                if name in now:
                    old = file.get_tensor(name).float()
                    moved += float((now[name].cpu() - old).square().sum())
                    size += float(old.square().sum())
    return (moved / size) ** 0.5 if size else 0.0
