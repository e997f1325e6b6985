"""How parts of a screen are laid out: framed or under a heading, wide or narrow, and bars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from autotune.base.format import percent

FRAME_COLUMNS = 50
"""Below this many columns a frame costs more than it orders."""

UNBOUNDED = 10_000
"""Columns in which nothing is squeezed: those of a pipe or a file, where no frame is drawn."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part: framed where there is room, else, and in a pipe, under a plain heading."""

    title: str
    body: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it at the width that there is."""
        if not FRAME_COLUMNS <= options.max_width < UNBOUNDED:
            yield Text(self.title, style="bold cyan")
            yield self.body
        else:
            yield from self._framed(console, options)

    def _framed(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        """What a rich Panel draws, which costs a screen that is redrawn twice as much."""
        signs = box.ROUNDED.substitute(options, safe=console.safe_box)
        dim, columns = console.get_style("dim"), options.max_width - 4
        title = Text(f" {self.title} ", style="bold cyan", end="")
        title.truncate(columns)
        yield Segment(signs.top_left + signs.top, dim)
        yield Segment(title.plain, console.get_style("dim bold cyan"))
        yield Segment(signs.top * (columns + 1 - title.cell_len) + signs.top_right + "\n", dim)
        inside = options.update(width=columns, height=None)
        for line in console.render_lines(self.body, inside):
            yield Segment(signs.mid_left + " ", dim)
            yield from line
            yield Segment(" " + signs.mid_right + "\n", dim)
        bottom = signs.bottom_left + signs.bottom * (columns + 2) + signs.bottom_right
        yield Segment(bottom + "\n", dim)


@dataclass(frozen=True, slots=True)
class ByWidth:
    """Two drawings of one thing: the first where it has its width, else the second.

    `needs` is that width in columns, or a table that shall not be squeezed.
    """

    needs: int | Table
    wide: RenderableType
    narrow: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the one that suits the width."""
        needs = self.needs
        if isinstance(needs, Table):
            needs = console.measure(needs, options=options.update(width=UNBOUNDED)).maximum
        yield self.wide if options.max_width >= needs else self.narrow


GAP = "  "
"""Between the items of a line."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Items one after another, in as many lines as they take; only what is longer is broken."""

    items: Sequence[Text]

    @property
    def plain(self) -> str:
        """What it says, in one line."""
        return GAP.join(item.plain for item in self.items)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it at the width that there is."""
        lines: list[Text] = []
        for item in self.items:
            last = lines[-1] if lines else None
            if last and last.cell_len + len(GAP) + item.cell_len <= options.max_width:
                last.append(GAP).append_text(item)
            else:
                lines.append(Text(overflow=item.overflow).append_text(item))
        for line in lines:
            if line.cell_len > options.max_width or "\n" in line.plain:
                yield line
            else:  # nothing to wrap, which would take most of the time
                yield from line.render(console, end="\n")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as wide as there is room, with its percent, so that it also speaks without colour."""

    share: float
    style: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in one line."""
        after = f" {percent(self.share, 0):>5}"
        yield bar_text(self.share, max(1, options.max_width - len(after)), self.style).append(after)


def bar_text(share: float, columns: int, style: str) -> Text:
    """A share (0..1, more is full) as so many columns of a line."""
    full = round(min(max(share, 0.0), 1.0) * columns)
    return Text("━" * full, style=style, no_wrap=True).append("─" * (columns - full), style="dim")


def plain_table(expand: bool = False) -> Table:
    """A table with headings and a line below them, and nothing else."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=expand)
