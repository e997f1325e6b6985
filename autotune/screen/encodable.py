"""Whatever is drawn reaches the terminal: characters its encoding lacks are replaced, not fatal."""

from collections.abc import Iterable
from functools import lru_cache

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment

_PLAIN = (
    {"…": ".", "━": "=", "─": "-", "╸": "-", "╺": " ", "–": "-", "—": "-", "·": "-", "×": "x"}
    | {"«": "<", "»": ">", "●": "o"}
    | dict(zip("▁▂▃▄▅▆▇█", ".:-=+*#@", strict=True))
)
"""What stands in for a character; for the heights of a curve signs of growing weight."""


class Encodable:
    """Draws another renderable with only the characters that the console's encoding holds.

    A redirected stdout on Windows is cp1252 and a print of anything else would raise there. A
    replaced character keeps its width in cells, so tables stay straight.
    """

    def __init__(self, renderable: RenderableType) -> None:
        """Wrap a renderable."""
        self.renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments of the wrapped renderable, replaced where needed."""
        segments: Iterable[Segment] = console.render(self.renderable, options)
        if options.encoding.startswith("utf"):
            yield from segments
            return
        for text, style, control in segments:
            yield Segment(text if control else encodable(text, options.encoding), style, control)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as what it wraps."""
        return Measurement.get(console, options, self.renderable)


@lru_cache(maxsize=4096)
def encodable(text: str, encoding: str) -> str:
    """The text with a look-alike or `?` for each character that the encoding lacks."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        if len(text) > 1:
            return "".join(encodable(ch, encoding) for ch in text)
        return _PLAIN.get(text, "?" * cell_len(text))
    return text
