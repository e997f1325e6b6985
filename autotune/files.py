"""Durable writes: a file is either the old one or the new one, whole, whatever kills us."""

import contextlib
import os
import secrets
from pathlib import Path

from autotune.errors import EnvironmentFault


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
            work.replace(path)
        except BaseException:
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
