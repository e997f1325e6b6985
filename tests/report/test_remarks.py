"""What a report concludes is said once, and what is bad of it is red."""

from pathlib import Path

from autotune.report.build import build_report
from autotune.report.remarks import remarks_of
from autotune.report.schema import Report
from autotune.report.write import render_html, render_markdown
from tests import records as book
from tests.report.test_pages import unhealthy

KEPT = Path(__file__).parents[2] / "docs" / "proof"


def test_broken_limits_of_health_are_said_once_and_in_red() -> None:
    report = build_report(unhealthy(), Path("runs/x"))
    assert report.best is not None and report.best.unhealthy
    for limit in report.best.unhealthy:
        shown = limit.replace("vacuous", "trivial")
        lines = [line for line in render_markdown(report).splitlines() if line.startswith("- ")]
        assert len([line for line in lines if shown in line]) == 1, lines
    reds = [remark for remark in remarks_of(report) if remark.tone == "bad"]
    assert len(reds) == len(report.best.unhealthy)
    assert render_html(report).count('<li class="bad">Not healthy: ') == len(reds)


def test_a_report_whose_conclusions_do_not_name_them_begins_with_them() -> None:
    kept = Report.model_validate_json((KEPT / "seed-43" / "report.json").read_bytes())
    lines = tuple(line for line in kept.conclusions if not line.startswith("Not healthy"))
    unhealthy = {"unhealthy": ("stop 71.5 % is below 80 %", "vacuous 20.0 % is above 10 %")}
    assert kept.best is not None
    report = kept.model_copy(
        update={"conclusions": lines, "best": kept.best.model_copy(update=unhealthy)}
    )
    first, *others = remarks_of(report)
    assert (first.text, first.tone) == (
        "Not healthy: stop 71.5 % is below 80 %; trivial 20.0 % is above 10 %",
        "bad",
    )
    assert [remark.text for remark in others] == list(lines[1:])


def test_a_healthy_run_has_no_red_remark() -> None:
    report = build_report(book.story(), Path("runs/x"))
    assert {remark.tone for remark in remarks_of(report)} == {""}
    assert [remark.text for remark in remarks_of(report)] == list(report.conclusions[1:])


def test_the_prediction_begins_as_a_sentence_does() -> None:
    text = render_markdown(build_report(book.story(), Path("runs/x")))
    assert "\nPredicted peak " in text
