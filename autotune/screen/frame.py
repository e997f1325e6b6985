"""A frame of the screen: parts from top to bottom, less those for which the terminal is too low.

A part is drawn again only when what it shows has changed, which its key says. Laying out a table
takes longer than all the rest of a frame, and a table changes once in minutes.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style

from autotune.screen.encodable import Encodable

Drawing = Callable[[], RenderableType | None]
Lines = list[list[Segment]]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the screen, in drawings from tall to low; low `rank` gets its lines first.

    With the same `key` it looks as it did before. A drawing is None where there is nothing.
    `unless` names a part of a higher rank that it stands for: where there is room for that one,
    the lines of this one among it, this one is left out.
    """

    name: str
    rank: int
    key: Hashable
    drawings: Sequence[Drawing]
    unless: str = ""


def merged(line: Iterable[Segment]) -> list[Segment]:
    """The line in fewer segments: neighbours of one style joined, blanks with what is before them.

    It looks the same. Whatever shows a frame goes through its segments several times, and a table
    makes dozens of a line, most of them blanks between two cells.
    """
    whole: list[Segment] = []
    for text, style, control in line:
        last = whole[-1] if whole and not control and not whole[-1].control else None
        if last is None or not (_alike(last.style, style) or _is_blank(text, last.style, style)):
            whole.append(Segment(text, style or None, control))
        else:
            whole[-1] = Segment(last.text + text, last.style)
    return whole


def _alike(one: Style | None, other: Style | None) -> bool:
    return (one or None) == (other or None)


def _is_blank(text: str, *styles: Style | None) -> bool:
    """Whether nobody sees in which of the styles the text stands."""
    return text.isspace() and not any(
        style and (style.bgcolor or style.reverse or style.underline or style.strike or style.link)
        for style in styles
    )


@dataclass
class Drawn:
    """The lines of parts as they were drawn last, by part and drawing, at one width."""

    columns: int = 0
    lines: dict[tuple[str, int], tuple[Hashable, Lines]] = field(default_factory=dict)

    def of(self, part: Part, at: int, console: Console, options: ConsoleOptions) -> Lines:
        """The lines of a drawing, from before where nothing has changed."""
        if options.max_width != self.columns:
            self.columns = options.max_width
            self.lines.clear()
        known = self.lines.get((part.name, at))
        if known is not None and known[0] == part.key:
            return known[1]
        drawing = part.drawings[at]()
        lines: Lines = []
        if drawing is not None:
            whole = console.render_lines(Encodable(drawing), options, pad=False)
            lines = [merged(line) for line in whole]
        self.lines[part.name, at] = (part.key, lines)
        return lines


@dataclass(frozen=True, slots=True)
class Screen:
    """The parts from top to bottom, and what was drawn of them before."""

    parts: Sequence[Part]
    drawn: Drawn = field(default_factory=Drawn)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it at the size that there is."""
        yield from self.segments(console, options)

    def segments(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        """As many parts as there are lines for, the important ones first."""
        free = options.size.height - 1
        options = options.update(height=None)
        kept: dict[int, Lines] = {}
        for index in sorted(range(len(self.parts)), key=lambda i: self.parts[i].rank):
            part = self.parts[index]
            stand_ins = [i for i in kept if self.parts[i].unless == part.name]
            room = free + sum(len(kept[i]) for i in stand_ins)
            for at in range(len(part.drawings)):
                lines = self.drawn.of(part, at, console, options)
                if lines and (len(lines) <= room or not kept):
                    for stand_in in stand_ins:
                        del kept[stand_in]
                    kept[index] = lines
                    free = room - len(lines)
                    break
        for index in sorted(kept):
            for line in kept[index]:
                yield from line
                yield Segment.line()
