"""A download in sight: how much of it has arrived and how fast, while another program writes it.

pip and the hub's library bring the files; the disk is asked how far they are, which holds for every
version of both.
"""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from autotune.sources.say import Say

LOOK_SECONDS = 0.25
"""Between two looks at the disk: as often as the live screen is drawn."""

LINE_SECONDS = 5.0
"""Between two lines where there is no bar: a few for a hundred megabytes on a slow line."""

Show = Callable[[int], None]
"""Is given the bytes that have arrived, again and again."""


@runtime_checkable
class ShowsDownloads(Protocol):
    """A `Say` that has more to offer than lines, such as a bar on a terminal."""

    def download(self, title: str, total_bytes: int | None) -> AbstractContextManager[Show]:
        """What shows a download while the context is open; None is a size that nobody knows."""


@contextmanager
def watched(say: Say, title: str, total_bytes: int | None, folder: Path) -> Iterator[None]:
    """Show what arrives in a folder, or in folders below it, until the context is left."""
    lines = download_lines(say, title, total_bytes)
    drawing = say.download(title, total_bytes) if isinstance(say, ShowsDownloads) else lines
    there, over = arrived(folder), threading.Event()

    def look(show: Show) -> None:
        while not over.wait(LOOK_SECONDS):
            done = max(0, arrived(folder) - there)
            # Moved to where it belongs it may lie there twice for a moment.
            show(done if total_bytes is None else min(done, total_bytes))

    with drawing as show:
        thread = threading.Thread(target=look, args=(show,), name="download", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def download_lines(
    say: Say, title: str, total_bytes: int | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Show]:
    """A plain line every few seconds: `fetching x: 31 of 93 MB, 6.2 MB/s`."""
    began = last = clock()

    def show(done: int) -> None:
        nonlocal last
        now = clock()
        if now - last < LINE_SECONDS:
            return
        last = now
        of = "" if total_bytes is None else f" of {total_bytes / 1e6:.0f}"
        say(f"fetching {title}: {done / 1e6:.0f}{of} MB, {done / 1e6 / (now - began):.1f} MB/s")

    yield show


def arrived(folder: Path) -> int:
    """Bytes of all files there; files and folders may come and go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):  # passes over a folder that is gone, as rglob does not
        for name in names:
            try:
                info = Path(place, name).lstat()
            except OSError:
                continue
            total += info.st_size if stat.S_ISREG(info.st_mode) else 0
    return total
