"""What makes a frame cheap changes nothing of how it looks."""

import io

import pytest
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from autotune.screen.frame import merged
from autotune.screen.layout import Flow, Section

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
