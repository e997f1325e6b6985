"""The report says for each trial how long it was expected to take and how long it took."""

from pathlib import Path

from autotune.protocol.events import RunEvent
from autotune.report import Report, build_report
from autotune.report.time_tables import times_table
from autotune.report.write import render_html, render_markdown
from tests import records
from tests.fit.test_expected import trial
from tests.records import Book


def reported(*after: tuple[RunEvent, float]) -> Report:
    """The report of a run of which these events came, each so many seconds after the last."""
    book = Book()
    book.add(records.run_started())
    for event, seconds in after:
        book.add(event, after=seconds)
    return build_report(book.records, Path("run"))


def test_planned_stands_beside_actual_for_each_trial_on_both_pages() -> None:
    report = reported(*trial(0, 20, 5), *trial(1, 11, 8)[:2])  # the second is still scored
    cells = [row.cells for row in times_table(report).rows]
    assert cells[0] == ("0 (A)", "10 s", "20 s", "10 s", "5 s", "20 s", "25 s", "+25 %")
    assert cells[1] == ("1 (A)", "10 s", "11 s", "10 s", "–", "20 s", "–", "–")
    for page in (render_markdown(report), render_html(report)):
        assert "Planned against actual" in page
        assert "+25 %" in page
    first = report.trials[0]
    assert first.expected is not None
    assert (first.expected.seconds, first.took.training_seconds, first.took.scoring_seconds) == (
        *(20.0, 20.0),
        5.0,
    )


def test_the_time_that_a_trial_is_expected_to_take_is_said_when_it_begins() -> None:
    said = [moment.text for moment in reported(*trial(0, 20, 5)).timeline]
    assert any(text.endswith("; training and scoring take under a minute") for text in said)


def test_a_run_of_an_older_version_has_no_such_table() -> None:
    report = build_report(records.story(), Path("run"))
    assert times_table(report).rows == ()
    assert "Planned against actual" not in render_markdown(report)
