"""Folders for one command: gone when it ends, or at a later start where it was killed.

The owner holds a lock in its folder. The system lets go of that with the process, whatever ended
it, so that a later start can tell a folder in use from one that was left.
"""

import contextlib
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from autotune.base.errors import AutotuneError
from autotune.base.files import remove_tree

PREFIX = "smolsft-"

KINDS = ("plan", "inspect", "card", "chat", "export")
"""What a folder is for: a prediction's job, a look at data or at a card, a talk, an export."""

OLD_SECONDS = 86_400.0
"""Younger leftovers stay: no command holds such a folder for a day, and a folder that was made this
moment has no lock yet."""

_LEFT = re.compile(rf"{PREFIX}(?:{'|'.join(KINDS)}|autotune)-[a-z0-9_]+(?:\.log)?")
"""`autotune` is what earlier versions called some of them, and their traces of internal errors."""

_LOCK = "in-use.lock"


@contextlib.contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """A new folder for the time of the block.

    A worker's log that an error names goes with it, so the error quotes its end instead.

    Args:
        kind: one of `KINDS`, part of the folder's name.
    """
    sweep_scratch()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-"))
    lock = FileLock(folder / _LOCK)
    try:
        with lock:
            yield folder
    except AutotuneError as error:
        error.quote_log(folder)
        raise
    finally:
        remove_tree(folder)


def sweep_scratch(parent: Path | None = None, now: float | None = None) -> None:
    """Remove what commands that were killed left among the system's temporary files.

    Only names that this tool gives, a day old, and held by no process. What cannot be removed
    (another user's, or open elsewhere on Windows) stays.
    """
    parent = parent or Path(tempfile.gettempdir())
    now = time.time() if now is None else now
    with contextlib.suppress(OSError):
        for path in parent.glob(f"{PREFIX}*"):
            if _LEFT.fullmatch(path.name) and not path.is_symlink():
                with contextlib.suppress(OSError):
                    _remove_if_left(path, now)


def _remove_if_left(path: Path, now: float) -> None:
    if now - path.stat().st_mtime < OLD_SECONDS:
        return
    if path.is_file():
        path.unlink()
        return
    if not _is_held(path):
        remove_tree(path)


def _is_held(folder: Path) -> bool:
    try:
        with FileLock(folder / _LOCK, timeout=0):
            return False
    except Timeout:
        return True
