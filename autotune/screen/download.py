"""A download as a bar: how much has arrived, how fast, and how long the rest takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from autotune.base.format import safe


@contextmanager
def download_bar(
    console: Console, title: str, total_bytes: int | None
) -> Iterator[Callable[[int], None]]:
    """A bar that is gone when all is there; what it yields is given the bytes that have arrived."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(safe(title), total=total_bytes)
        yield lambda done: progress.update(task, completed=done)
