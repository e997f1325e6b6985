"""What the views show, caught as text: for tests of what a person sees."""

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, RenderableType

from autotune.base.sizes import GIB
from autotune.protocol.events import Record
from autotune.run.state import StudyState
from autotune.screen import (
    DeviceSample,
    LiveView,
    PlainView,
)

SAMPLE = DeviceSample(used_bytes=3 * GIB, limit_bytes=6 * GIB, temperature_c=61.0)
FOLDER = Path("runs") / "20261125_demo"
WIDTHS = (20, 40, 80, 120)


def console(width: int = 140, height: int = 80, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(), width=width, height=height, force_terminal=terminal, _environ={}
    )


def printed(renderable: RenderableType, width: int = 140) -> str:
    out = console(width)
    out.print(renderable)
    return text_of(out)


def text_of(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def live_text(
    records: Sequence[Record],
    width: int = 140,
    height: int = 80,
    sample: DeviceSample = SAMPLE,
    out: Console | None = None,
    after: float = 0.0,
) -> str:
    """The last frame of a live view `after` seconds from the last record, without colours."""
    state = StudyState()
    out = out or console(width, height)
    view = LiveView(out, lambda: records[-1].time + after, lambda: state, lambda: sample)
    with view:
        for record in records:
            state.apply(record)
            view.on_record(record)
    return text_of(out) if isinstance(out.file, io.StringIO) else ""


def plain_lines(
    records: Sequence[Record], clock: Sequence[float] | None = None, width: int = 20
) -> list[str]:
    """What the plain view prints, less the time of day at the head of each line."""
    state, out = StudyState(), console(width)
    now = [records[0].time]
    with PlainView(out, lambda: now[0], lambda: state) as view:
        for index, record in enumerate(records):
            now[0] = clock[index] if clock else record.time
            state.apply(record)
            view.on_record(record)
    return [line.split(" ", 1)[1] for line in text_of(out).splitlines()]


def squeezed(text: str) -> str:
    """The text without line breaks and runs of spaces, as it reads at any width."""
    return " ".join(text.split())
