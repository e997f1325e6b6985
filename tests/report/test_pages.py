"""The two pages of a report show the same, and only what the run's scorer has."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.results import Measurement
from autotune.protocol.scores import Metric
from autotune.report import build_report
from autotune.report.table import Column, Row, Table
from autotune.report.write import render_html, render_markdown
from tests import records as book
from tests.score.test_exact_runs import exact_story

LINES = ("h1", "h2", "h3", "p", "li", "tr", "summary")
"""What is a line of its own on a page; a fact and a name with its value are put together."""


class Lines(HTMLParser):
    """The lines of a page in order: headings, paragraphs, points of a list, rows of a table."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.words: list[str] = []
        self.value = ""
        self.silent = False
        self.feed(page.partition("<main>")[2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in (*LINES, "b", "dt"):
            self.words = []
        elif tag in ("td", "th", "dd"):
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self.words).split())
        if tag == "b":
            self.value, self.words = text, []
        elif tag == "div" and self.value:
            self.lines.append(f"{text}: {self.value}")
            self.value = ""
        elif tag in (*LINES, "dd"):
            self.lines.append(text)
            self.words = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def lines_of_markdown(text: str) -> list[str]:
    """The same of the other page; the rulers of tables, the picture and one heading are its own."""
    found = []
    for line in text.splitlines():
        if not line or re.fullmatch(r"[|:-]+", line) or line.startswith("!["):
            continue
        if line == "| what | value |":
            continue
        cells = re.sub(r"^(#+|-|>|\d+\.) ", "", line).strip("|")
        plain = re.sub(r"(?<!\\)\|", " ", cells)
        found.append(" ".join(re.sub(r"\\([\\`*_\[\]<>|#~+=.)-])", r"\1", plain).split()))
    return found


def without_tags(page: str) -> str:
    """The text of a page as it is read, whatever is kept on one line in it."""
    return re.sub(r"<[^<>]*>", "", page)


def same(line: str) -> str:
    """A title's status is a badge on one page and stands after a colon on the other."""
    return line.replace(": ", " ")


def unhealthy() -> list[Record]:
    """The story of a run whose best answers echo, with what is left without them."""

    def changed(event: events.RunEvent) -> events.RunEvent:
        if isinstance(event, events.Evaluated):
            return event.model_copy(update={"sound": Metric.of(2, book.PROMPTS)})
        return event

    return [r.model_copy(update={"event": changed(r.event)}) for r in book.parrot()]


def told() -> list[Record]:
    """A story with advice and a warning."""
    at = book.story()[-1].time
    more = (
        events.Warned(message="battery | is [low]"),
        events.Advised(number=1, rule="rate", step=9, message="lower the learning rate"),
    )
    return [*book.story()[:-1], *(Record(time=at, event=event) for event in more)]


STORIES: dict[str, Callable[[], list[Record]]] = {
    "met": book.story,
    "echoing": unhealthy,
    "exact": lambda: exact_story(2),
    "probing": book.probing,
    "training": book.training,
    "told": told,
}


@pytest.mark.parametrize("name", STORIES)
def test_both_pages_show_the_same_lines_in_the_same_order(tmp_path: Path, name: str) -> None:
    report = build_report(STORIES[name](), tmp_path)
    page = Lines(render_html(report)).lines
    text = lines_of_markdown(render_markdown(report))
    assert [same(line) for line in page] == [same(line) for line in text]
    assert len(page) > 15


def test_every_row_of_a_table_has_a_cell_for_each_column(tmp_path: Path) -> None:
    report = build_report(book.story(), tmp_path)
    widths = [
        len(re.findall(r"(?<!\\)\|", line))
        for line in render_markdown(report).splitlines()
        if line.startswith("|")
    ]
    rulers = re.findall(r"^\|[-:|]+\|$", render_markdown(report), re.MULTILINE)
    assert len(rulers) == 11
    assert set(widths) == {ruler.count("|") for ruler in rulers}


@pytest.mark.parametrize("render", [render_markdown, lambda r: render_html(r)])
def test_a_run_of_another_scorer_names_it_and_speaks_of_nothing_that_it_has_not(
    tmp_path: Path, render: Callable[[object], str]
) -> None:
    records = exact_story(2)
    bad = next(r for r in reversed(records) if isinstance(r.event, events.Evaluated))
    unhealthy = {"unhealthy": ("echo 100 % is above 10 %",), "sound": Metric.of(2, 24)}
    at = records.index(bad)
    records[at] = bad.model_copy(update={"event": bad.event.model_copy(update=unhealthy)})
    report = build_report(records[: at + 1], tmp_path)
    best = report.best
    assert best is not None
    shown = report.model_copy(update={"best": best.model_copy(update=unhealthy)})
    page = without_tags(render(shown))
    assert "Exact answers (--scorer exact)" in page
    assert "excluding echoing or looping answers" in page
    assert "trivial" not in page.lower()
    other = without_tags(render(build_report(book.story(), tmp_path)))
    assert "IFEval (--scorer ifeval)" in other
    assert "trivial" in other


def test_two_timings_of_one_setting_are_told_apart(tmp_path: Path) -> None:
    (timed,) = book.fit().speed_trials
    assert timed.measurement is not None
    warm: Measurement = timed.measurement.model_copy(update={"fresh": False})
    shorter = timed.point.model_copy(update={"max_rounds": 2})
    trials = (
        timed.model_copy(update={"measurement": warm}),
        timed,
        timed.model_copy(update={"point": shorter}),
    )
    fit = book.fit().model_copy(update={"speed_trials": trials})
    records = [
        r.model_copy(update={"event": events.Fitted(fit=fit)})
        if isinstance(r.event, events.Fitted)
        else r
        for r in book.story()
    ]
    text = render_markdown(build_report(records, tmp_path))
    rows = [line for line in text.splitlines() if "| 512 tokens |" in line]
    assert len(set(rows)) == 3
    assert "256 x 4 | 512 tokens | 8 conversations, same process |" in rows[0]
    assert "256 x 4 | 512 tokens | 8 conversations, new process |" in rows[1]
    assert "256 x 2 | 512 tokens | 8 conversations, new process |" in rows[2]


@pytest.mark.parametrize("name", STORIES)
def test_no_cell_is_empty_or_not_available_and_every_dash_has_its_reason(
    tmp_path: Path, name: str
) -> None:
    pages = render_markdown(build_report(STORIES[name](), tmp_path)).splitlines()
    assert not [line for line in pages if "n/a" in line or re.search(r"^\|.*\|\s+\|", line)]
    tables = re.split(r"\n(?!\|)", "\n".join(pages))
    for at, table in enumerate(tables):
        if re.search(r"\| – +\|", table):
            assert "A dash: " in "".join(tables[at : at + 4]), table


def test_a_column_that_says_nothing_is_left_out_and_a_dash_is_explained() -> None:
    columns = (Column("name"), Column("loss", True), Column("time", True))
    table = Table(columns, (Row(("A", "–", "1 s")), Row(("B", "–", "–"))), "Two.", "not over")
    assert [column.title for column in table.shown.columns] == ["name", "time"]
    assert [row.cells for row in table.shown.rows] == [("A", "1 s"), ("B", "–")]
    assert table.shown.legend == "Two. A dash: not over."
    assert Table(columns, (Row(("A", "1", "1 s")),), "Two.").shown.legend == "Two."


def test_a_percentage_in_a_sentence_of_a_table_stays_on_one_line(tmp_path: Path) -> None:
    page = render_html(build_report(book.parrot(), tmp_path))
    assert 'below target, counts for <span class="whole">0.0 %</span></td>' in page
