"""A sealed folder: flushed, described by a manifest, and given up without a half left behind.

The manifest names every file with its size and sha256 and is written last. Worker and parent both
read it, so nothing here loads torch.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any, TypeVar

from autotune.base.files import move, patiently, sync_folder, write_text_atomic

Read = TypeVar("Read")

MANIFEST = "manifest.json"
OPTIMIZER = "optimizer.safetensors"
"""Two thirds of a checkpoint, which only resuming needs."""

STATE = "trainer_state.json"
_GONE = ".gone-"
_INDEX = "model.safetensors.index.json"


def seal(folder: Path, leave_out: Collection[str] = ()) -> None:
    """Flush every file and write the manifest last; it names all files but those to `leave_out`."""
    entries = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in leave_out):
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
        text = _once_more(partial((folder / MANIFEST).read_text, encoding="utf-8"))
        entries: object = json.loads(text)
    except (OSError, ValueError):
        return None
    return entries if isinstance(entries, dict) else None


def _once_more(read: Callable[[], Read]) -> Read:
    """What is read, where need be at the second try.

    A disk behind a cable or a network fails for a moment; what it lost, it fails on again. So a
    checkpoint that is whole is not given up for the former.
    """
    try:
        return read()
    except FileNotFoundError:
        raise
    except OSError:
        return read()


def verified(folder: Path) -> bool:
    """Whether every file the manifest names is there, whole and unchanged."""
    return fault_of(folder) is None


def fault_of(folder: Path) -> str | None:
    """What is wrong with a sealed folder, in words; None where all is as it was sealed.

    Every byte is read: a disk that loses some changes neither the size nor the time of a file.
    """
    if not folder.is_dir():
        return "it is not there"
    entries = entries_of(folder)
    if not entries:
        return f"its {MANIFEST} is damaged or missing"
    return mismatch(folder, entries) or _stranger(folder, entries)


def mismatch(folder: Path, entries: dict[str, Any]) -> str | None:
    """The first file of a folder that is not as described, in words; None where all are."""
    for name, entry in entries.items():
        if not _stays_inside(name):
            return f"its {MANIFEST} names {name}, which is outside of it"
        try:
            found = _once_more(partial(describe, folder / name))
        except OSError:
            return f"{name} is missing or cannot be read"
        if found != entry:
            return f"{name} is not as it was saved"
    return None


def _stays_inside(name: str) -> bool:
    path = PureWindowsPath(name)  # knows both separators, and drives
    return not path.is_absolute() and not path.drive and not path.root and ".." not in path.parts


def _stranger(folder: Path, entries: dict[str, Any]) -> str | None:
    """A file of weights that the folder's index names and its manifest does not, in words."""
    if _INDEX not in entries:
        return None
    try:
        weights = json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"]
        strangers = sorted({str(name) for name in weights.values()} - entries.keys())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return f"{_INDEX} has no weight_map"
    return f"{_INDEX} names {strangers[0]}, which was not saved with it" if strangers else None


def put_in_place(work: Path, final: Path) -> None:
    """Give a sealed folder its name; one that had the name before goes."""
    discard(final)
    move(work, final)
    sync_folder(final.parent)


def drop_optimizer(folder: Path) -> None:
    """Keep a checkpoint's weights and free the optimizer's state, which only resuming needs.

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
    _remove(gone)
    try:
        move(folder, gone)
    except OSError:
        gone = folder
    _remove(gone)


def _remove(folder: Path) -> None:
    """As much as can be, twice because a disk may fail once; nobody waits for the rest."""
    for _ in range(2):
        shutil.rmtree(folder, ignore_errors=True)


def sweep(root: Path) -> None:
    """Finish the removals in a folder that were cut short."""
    for gone in root.glob(f"{_GONE}*"):
        _remove(gone)


def weights_in(folder: Path) -> dict[str, str]:
    """The sha256 of every file of weights that a folder holds now, by its name."""
    return {
        path.name: describe(path)["sha256"]
        for path in sorted(folder.glob("*.safetensors"))
        if path.name != OPTIMIZER
    }
