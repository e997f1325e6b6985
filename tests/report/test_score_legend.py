"""Below a table of scores stands what that table shows, and nothing of what it has not."""

from pathlib import Path

import pytest

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.scores import Lift, Metric
from autotune.report.build import build_report
from autotune.report.schema import Report
from autotune.report.score_tables import scores_table
from autotune.report.write import render_html, render_markdown
from autotune.score.answers import Answer
from autotune.score.health import health
from autotune.score.prompts import Prompt
from autotune.score.registry import find_scorer
from tests import records as book
from tests.score.test_exact_runs import exact_story

LIFT = Lift(genuine=Metric.of(6, 24), shuffled=Metric.of(24, 240), p_value=0.01)
ON_OTHER_PROMPTS = "judged by other prompts than theirs"


def lifted() -> list[Record]:
    """The story of a run whose checkpoints were judged by other prompts as well."""
    return [
        r.model_copy(update={"event": r.event.model_copy(update={"lift": LIFT})})
        if isinstance(r.event, events.Evaluated)
        else r
        for r in book.story()
    ]


def legend(records: list[Record]) -> str:
    report = build_report(records, Path("runs/x"))
    return scores_table(report, find_scorer(report.scorer)).shown.legend


def test_lift_and_shares_are_explained_at_the_first_table_of_scores_and_once() -> None:
    text = render_markdown(build_report(lifted(), Path("runs/x")))
    for words in ("Lift: points of the score", "Shares of the answers (stop, loop, echo, empty)"):
        assert text.count(words) == 1
        assert text.index(words) < text.index("## Loss and scores")


def test_a_scorer_without_lift_has_no_word_of_it_on_its_pages() -> None:
    report = build_report(exact_story(2), Path("runs/x"))
    for page in (render_markdown(report), render_html(report)):
        assert "an answer without a model" in page
        assert "Shares of the answers (stop, loop, echo, empty): ended by themselves" in page
        for words in ("Lift:", ON_OTHER_PROMPTS, "whose lift and shares", "Trivial:"):
            assert words not in page


def test_the_row_on_other_prompts_brings_its_sentence_and_its_dash() -> None:
    said = legend(lifted())
    assert "; the best checkpoint's own answers judged by other prompts than theirs" in said
    assert "each answer by several prompts, so such passes have no interval" in said
    assert said.endswith(
        "A dash: not measured, or on other prompts: those are the best checkpoint's own answers,"
        " whose lift and shares stand in its row."
    )  # the baselines of this story have no lift
    assert ON_OTHER_PROMPTS not in legend(book.story())


@pytest.mark.parametrize(
    ("kept", "begins"),
    [
        ((), "Shares of the answers"),
        (("echo",), "Baseline: an answer without a model, which any score must beat."),
        (("untrained",), "Baseline: the model before training, which shows what training did."),
        (("echo", "untrained"), "Baselines: an answer without a model, which any score must beat;"),
    ],
)
def test_only_baselines_that_stand_there_are_explained(kept: tuple[str, ...], begins: str) -> None:
    report: Report = build_report(book.story(), Path("runs/x"))
    own = {name: report.baselines[name] for name in kept}
    table = scores_table(report.model_copy(update={"baselines": own}), find_scorer("ifeval"))
    assert table.shown.legend.startswith(begins)


def test_where_only_the_row_on_other_prompts_has_a_dash_only_that_is_explained() -> None:
    report = build_report(lifted(), Path("runs/x"))
    alone = report.model_copy(update={"baselines": {}})
    said = scores_table(alone, find_scorer("ifeval")).shown.legend
    assert " A dash: those are the best checkpoint's own answers" in said
    assert "not measured" not in said


def test_a_looping_answer_that_stopped_is_counted_in_both_and_the_pages_say_so() -> None:
    prompt = Prompt(key=1, prompt="Name rivers.")
    text = "It is the Nile. " * 8
    found = health([prompt], [Answer(key=1, prompt=prompt.prompt, response=text, finish="stop")])
    assert (found.stop, found.loop) == (1.0, 1.0)
    report = build_report(book.story(), Path("runs/x"))
    for page in (render_markdown(report), render_html(report)):
        assert "ended in repeats of one piece (and then stopped or not)" in page
        assert "without end" not in page
