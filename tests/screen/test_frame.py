"""What makes a frame cheap changes nothing of how it looks."""

import io

import pytest
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from autotune.run.state import replay
from autotune.screen.frame import merged
from autotune.screen.layout import Flow, Section
from autotune.screen.live import draw
from autotune.screen.time_left import Pace
from tests import records as book
from tests.screens import SAMPLE, console

RED, BLUE, INK = Style(color="red"), Style(color="blue"), Style(bgcolor="blue")


def drawn(renderable: RenderableType, columns: int, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    console = Console(
        file=file, width=columns, force_terminal=True, color_system="truecolor", _environ={}
    )
    console.print(renderable)
    file.flush()
    return raw.getvalue().decode(encoding)


def looks(line: list[Segment]) -> list[tuple[str, Style | None]]:
    """What a person sees: each character with its style, a blank with that of its ground."""
    seen: list[tuple[str, Style | None]] = []
    for text, style, _ in line:
        ground = Style(bgcolor=style.bgcolor) if style and style.bgcolor else None
        seen += [(c, ground if c == " " else style or None) for c in text]
    return seen


def test_neighbours_that_look_alike_become_one_segment_and_the_line_looks_the_same() -> None:
    line = [
        *(Segment("a", RED), Segment("  ", Style.null()), Segment("b", RED), Segment("c", BLUE)),
        *(Segment(" ", None), Segment("d", None), Segment(" ", INK), Segment("e", Style.null())),
    ]
    whole = merged(line)
    assert looks(whole) == looks(line)
    assert [segment.text for segment in whole] == ["a  b", "c ", "d", " ", "e"]


def test_a_table_row_of_many_blanks_is_passed_on_in_fewer_segments() -> None:
    row = [Segment("│", RED), *[Segment(" ", None), Segment("7", None), Segment("  ", RED)] * 9]
    assert looks(merged(row)) == looks(row)
    assert len(merged(row)) < len(row) / 9


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("columns", [50, 80])
@pytest.mark.parametrize("title", ["now", "a title that is longer than the line " * 3])
def test_a_frame_is_the_one_of_rich_to_the_letter(columns: int, title: str, encoding: str) -> None:
    body = Flow([Text("a word"), Text("in red", style="red"), Text("more " * 30)])
    head = Text(title, style="bold cyan")
    framed = Panel(body, title=head, title_align="left", border_style="dim")
    ours, theirs = (drawn(each, columns, encoding) for each in (Section(title, body), framed))
    assert plain(ours) == plain(theirs)


def plain(text: str) -> str:
    return Text.from_ansi(text).plain


def test_a_frame_that_differs_by_a_step_draws_the_work_again_and_no_table() -> None:
    """Seconds of a redraw cannot be tested; that little is laid out for one can."""
    before, after = replay(book.training(6)), replay(book.training(7))
    first = draw(before, SAMPLE, Pace(), book.START)
    out = console(120, 60, terminal=True)
    list(first.segments(out, out.options))
    second = draw(after, SAMPLE, Pace(), book.START, first.drawn)
    again = []
    for part in second.parts:
        known = first.drawn.lines.get((part.name, 0))
        if known is None or known[0] != part.key:
            again.append(part.name)
    assert "job" in again
    assert {"table", "bar", "data", "events", "device"}.isdisjoint(again), again


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_whole_frame_is_passed_on_in_few_segments(width: int) -> None:
    """160 a frame here; a segment for each cell and blank made 960."""
    out = console(width, 60, terminal=True)
    screen = draw(replay(book.story()[:-1]), SAMPLE, Pace(), book.START)
    assert 50 < len(list(screen.segments(out, out.options))) < 300
