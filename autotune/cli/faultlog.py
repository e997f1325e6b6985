"""The trace of an internal error: kept in the cache folder, the newest few."""

import os
import time
import traceback
from pathlib import Path

from autotune.sources.cache import cache_folder

KEPT = 10
"""More are of no use: a fault of the tool comes again."""


def keep_trace(error: BaseException) -> Path | None:
    """Write the trace of an error down; None where the cache folder cannot be written."""
    folder = cache_folder() / "faults"
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        for old in sorted(folder.glob("*.log"))[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return path
