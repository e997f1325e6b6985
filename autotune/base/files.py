"""Durable writes: a file is either the old one or the new one, whole, whatever kills us."""

import contextlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from autotune.base.errors import EnvironmentFault

T = TypeVar("T")

HELD_ERRORS = (5, 32, 33)
"""Windows' ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION: what a rename
gives while antivirus or an indexer reads the file, and what a missing permission gives as well."""

PATIENCE_SECONDS = 8.0
"""How long a file may be held. A scan of 500 MB of weights takes seconds; a permission that is not
there never comes, and the person should hear of it."""

FIRST_PAUSE_SECONDS = 0.05
"""Doubled from try to try, up to a second: most are let go at once."""


def patiently(act: Callable[[], T], pause: Callable[[float], None] = time.sleep) -> T:
    """Do what another program may stand in the way of, again until it lets go.

    Only Windows gives such errors, so elsewhere nothing is tried twice.

    Raises:
        OSError: another error, or the file is still held after `PATIENCE_SECONDS` of pauses.
    """
    waited, next_pause = 0.0, FIRST_PAUSE_SECONDS
    while True:
        try:
            return act()
        except OSError as error:
            if getattr(error, "winerror", None) not in HELD_ERRORS or waited >= PATIENCE_SECONDS:
                raise
        pause(next_pause)
        waited += next_pause
        next_pause = min(2 * next_pause, 1.0)


def move(source: Path, target: Path) -> None:
    """Give a file or a folder another name in one step, waiting for who holds it (Windows)."""
    patiently(lambda: source.replace(target))


def remove_tree(folder: Path) -> None:
    """Make room for a folder of that name: remove what is there, waiting for who holds a file.

    As much as can be removed goes; what stays shows when the folder is made again.
    """
    with contextlib.suppress(OSError):
        patiently(lambda: shutil.rmtree(folder))
    shutil.rmtree(folder, ignore_errors=True)


def is_link(path: Path) -> bool:
    """Whether a name is a symbolic link, or a junction (Windows), and so stands for another."""
    try:
        tag = getattr(path.lstat(), "st_reparse_tag", None)
    except OSError:
        return False
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0)
    return path.is_symlink() or (tag is not None and tag == junction)


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: temporary file beside it, flushed to disk, then one rename.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Opened as any new file is, so that it gets the permissions that the user's umask gives.
        work = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with work.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            move(work, path)
        except BaseException:
            with contextlib.suppress(OSError):  # held on Windows; the first error is what counts
                work.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentFault(
            f"{path}: cannot be written ({error.strerror or error}); free disk space or choose"
            " another folder, then run the same command again"
        ) from error
    sync_folder(path.parent)


def write_text_atomic(path: Path, text: str) -> None:
    """`write_bytes_atomic` of UTF-8 text with plain newlines."""
    write_bytes_atomic(path, text.encode("utf-8"))


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable where the system lets a folder be flushed (not Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def as_new_files(folder: Path) -> None:
    """Give the files right in a folder the permissions that a new file of this user gets.

    safetensors makes its files for the user alone. Others shall read what is handed on, as far as
    the user's umask lets them read any file: mostly 0644.
    """
    if os.name != "posix":
        return
    probe = folder / f".{secrets.token_hex(4)}.tmp"
    probe.touch(exist_ok=False)
    try:
        mode = stat.S_IMODE(probe.stat().st_mode)
    finally:
        probe.unlink()
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink():
            path.chmod(mode)


def no_plain_file(path: Path) -> str:
    """Why a path is no file to read. A pipe can be read only once, and files are read twice."""
    return "is a device or a pipe, not a file" if path.exists() else "no such file"
