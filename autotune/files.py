"""Durable writes: a file is either the old one or the new one, whole, whatever kills us."""

import contextlib
import os
import tempfile
from pathlib import Path

from autotune.errors import EnvironmentFault


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: temporary file beside it, flushed to disk, then one rename.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
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
