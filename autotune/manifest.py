"""A sealed folder: flushed, described by a manifest, and given up without a half left behind.

The manifest names every file with its size and sha256 and is written last. Worker and parent both
read it, so nothing here loads torch.
"""

import hashlib
import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from autotune.files import move, patiently, sync_folder, write_text_atomic

MANIFEST = "manifest.json"
OPTIMIZER = "optimizer.safetensors"
"""Two thirds of a checkpoint, which only resuming needs."""

STATE = "trainer_state.json"
_GONE = ".gone-"


def seal(folder: Path) -> None:
    """Flush every file and write the manifest last."""
    entries = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with patiently(partial(path.open, "rb+")) as file:
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


def entries_of(folder: Path) -> dict[str, Any] | None:
    """What the manifest names: file -> size and sha256; None where there is no whole manifest."""
    try:
        entries: object = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return entries if isinstance(entries, dict) else None


def verified(folder: Path) -> bool:
    """Whether every file the manifest names is there, whole and unchanged."""
    entries = entries_of(folder)
    try:
        return entries is not None and all(
            describe(folder / name) == entry for name, entry in entries.items()
        )
    except OSError:
        return False


def put_in_place(work: Path, final: Path) -> None:
    """Give a sealed folder its name; one that had the name before goes."""
    discard(final)
    move(work, final)
    sync_folder(final.parent)


def drop_optimizer(folder: Path) -> None:
    """Keep a checkpoint's weights and free the two thirds that only resuming needs.

    The manifest is rewritten first, so that the folder verifies before and after; a file that it
    does not name any more is what a kill in between has left.
    """
    entries = entries_of(folder) or {}
    if entries.pop(OPTIMIZER, None) is not None:
        write_text_atomic(folder / MANIFEST, json.dumps(entries, indent=1))
    patiently(lambda: (folder / OPTIMIZER).unlink(missing_ok=True))


def discard(folder: Path) -> None:
    """Remove a folder; under another name first, so that a kill leaves no half of a checkpoint.

    What cannot be removed now (a file that is open elsewhere, on Windows) is for `sweep`.
    """
    if not folder.is_dir():
        return
    gone = folder.with_name(f"{_GONE}{folder.name}")
    shutil.rmtree(gone, ignore_errors=True)
    try:
        move(folder, gone)
    except OSError:
        gone = folder
    shutil.rmtree(gone, ignore_errors=True)


def sweep(root: Path) -> None:
    """Finish the removals in a folder that were cut short."""
    for gone in root.glob(f"{_GONE}*"):
        shutil.rmtree(gone, ignore_errors=True)


def weights_in(folder: Path) -> dict[str, str]:
    """The sha256 of every file of weights that a folder holds now, by its name."""
    return {
        path.name: describe(path)["sha256"]
        for path in sorted(folder.glob("*.safetensors"))
        if path.name != OPTIMIZER
    }
