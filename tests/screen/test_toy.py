"""A run of the toy says in its first paragraph that it was one: last screen and report."""

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.report.build import build_report
from autotune.report.write import render_html, render_markdown
from autotune.run.state import replay
from autotune.screen import summary
from autotune.sources.model import toy_model
from tests import records as book
from tests.screens import FOLDER, printed, squeezed

SAID = "This was the toy: a model of 100 thousand weights that shows the path"
REAL = "smolsft-autotune demo"


def of_toy(records: list[Record]) -> list[Record]:
    label = {"model": toy_model().label}
    return [
        r.model_copy(update={"event": r.event.model_copy(update=label)})
        if isinstance(r.event, events.RunStarted)
        else r
        for r in records
    ]


@pytest.mark.parametrize("width", [120, 80, 40])
def test_the_last_screen_says_it_before_the_scores_and_names_the_real_demo(width: int) -> None:
    text = squeezed(printed(summary(replay(of_toy(book.parrot())), FOLDER), width))
    text = text.replace("│ ", "").replace(" │", "")
    assert 0 < text.find(SAID) < text.find("before training")
    assert f"next: the same path with real weights: {REAL}" in text
    assert "score it on all" not in text and "to get further" not in text


def test_the_report_says_it_in_its_first_paragraph() -> None:
    report = build_report(of_toy(book.story()), FOLDER)
    assert SAID in render_markdown(report).split("\n\n")[1]
    assert SAID in render_html(report).partition("<h1>")[2].partition("</p>")[0]


def test_no_other_run_is_called_a_toy() -> None:
    assert SAID not in printed(summary(replay(book.story()), FOLDER), 200)
