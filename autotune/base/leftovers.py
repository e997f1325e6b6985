"""What a killed process leaves in a run folder, and its removal at the next start.

Only names that this tool gives to work in progress: `.NAME.1a2b3c4d.tmp` (a file being written),
`.best.tmp` and its like (a copy being made), `.gone-NAME` (a folder being removed). Half a
checkpoint (`.step-000012.tmp`) is the training's to remove, which says so.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from autotune.base.files import remove_tree

BEST_WORK = ".best.tmp"
"""The copy of the best checkpoint while it is made."""

_LEFTOVER = re.compile(
    r"\..+\.[0-9a-f]{8}\.tmp|\.survey\.json\.tmp|\.study\.db\.tmp(-journal|-wal|-shm)?"
    r"|\.events\.jsonl\.damaged-\d+\.tmp|study\.bak\.tmp|\.gone-.+"
)


def is_leftover(path: Path) -> bool:
    """Whether a file or folder is work in progress of this tool, by its name."""
    return path.name == BEST_WORK or _LEFTOVER.fullmatch(path.name) is not None


def sweep_run(root: Path) -> None:
    """Remove what killed processes left in a run folder and in the folders of its jobs.

    The caller holds the run's lock, so nothing of it is in progress. What cannot be removed (it is
    open elsewhere, on Windows) stays for the next start.
    """
    for path in [p for folder in _folders(root) for p in folder.iterdir() if is_leftover(p)]:
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _folders(root: Path) -> Iterator[Path]:
    """The run folder, its pictures, `probe/0001` and its like, and the checkpoints of trials."""
    yield root
    for pattern in ("pictures/", "*/*/", "trials/*/checkpoints/"):
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                yield path
