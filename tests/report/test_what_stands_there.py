"""A page explains, and has room for, only what stands on it; and its parts say the same."""

import re
from pathlib import Path

import pytest

from autotune.report.build import build_report
from autotune.report.data_table import data_table
from autotune.report.facts import facts_of
from autotune.report.fold import figures, name_parts, wholes
from autotune.report.schema import Report
from autotune.report.score_schema import KindScore
from autotune.report.study_tables import points_table
from autotune.report.tables import timed_table, trials_table
from autotune.report.time_tables import time_split_table, times_table
from autotune.report.trial_schema import TimeSpent
from autotune.report.write import render_html, render_markdown
from autotune.score.registry import find_scorer
from tests import records as book
from tests.report.test_practice import found
from tests.report.test_practice import story as practised
from tests.report.test_study_part import reported


@pytest.fixture
def report() -> Report:
    return build_report(book.story(), Path("runs/x"))


def test_where_no_prompt_has_a_held_out_kind_no_table_says_none() -> None:
    report = build_report(practised(found()), Path("runs/x"))
    nothing = KindScore(passes=0, n=0, share=0.0, interval=(0.0, 1.0))
    counts = {"held_out_instructions": nothing, "held_out_prompts": nothing}
    kinds = tuple(kinds.model_copy(update=counts) for kinds in report.kinds)
    assert "What was held out of practice" in render_markdown(report)
    without = report.model_copy(update={"kinds": kinds})
    for page in (render_markdown(without), render_html(without)):
        assert "What was held out of practice" not in page


def test_the_time_of_a_training_is_the_same_in_both_tables(report: Report) -> None:
    took = TimeSpent(training_seconds=95.0, scoring_seconds=5.0)
    first = report.trials[0].model_copy(update={"took": took, "training_seconds": 40.0})
    shown = trials_table(report.model_copy(update={"trials": (first,)})).shown
    at = [column.title for column in shown.columns].index("time")
    assert shown.rows[0].cells[at] == "1 min 35 s"  # not what the last of its processes took
    older = first.model_copy(update={"took": TimeSpent()})
    shown = trials_table(report.model_copy(update={"trials": (older,)})).shown
    assert shown.rows[0].cells[at] == "40 s"


def test_a_time_that_is_longer_than_the_one_in_the_log_says_why(report: Report) -> None:
    for page in (render_markdown(report), render_html(report)):
        assert "Time: with the start of the process that trains" in page
        assert "the list of all that happened counts neither" in page
    older = [trial.model_copy(update={"took": TimeSpent()}) for trial in report.trials]
    page = render_markdown(report.model_copy(update={"trials": tuple(older)}))
    assert "Time: with the start" not in page


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"dropped": 2, "held_out": 3}, ["Dropped:", "Held out:", "Tokens kept:"]),
        ({"dropped": 0, "lost": 1, "held_out": 0}, ["Dropped:", "Tokens kept:"]),
        ({"dropped": 0, "lost": 0, "held_out": 0}, ["Tokens kept:"]),
        ({"dropped": 0, "lost": 0, "held_out": 4, "kept_supervised": None}, ["Held out:"]),
    ],
)
def test_rows_are_explained_where_there_are_such(
    report: Report, counts: dict[str, int | None], said: list[str]
) -> None:
    used = tuple(each.model_copy(update=counts) for each in report.data_used)
    legend = data_table(report.model_copy(update={"data_used": used})).legend
    assert re.findall(r"(?:Dropped|Held out|Tokens kept):", legend) == said


def test_what_is_kept_is_rounded_down_as_everywhere(report: Report) -> None:
    used = report.data_used[0].model_copy(update={"kept_supervised": 0.38965})
    shown = data_table(report.model_copy(update={"data_used": (used,)}))
    assert shown.rows[0].cells[-1] == "38.9 %"


def test_minus_one_is_explained_where_a_trial_came_to_it() -> None:
    report = reported(3)
    trials = [trial.model_copy(update={"value": 0.1}) for trial in report.trials]
    plain = report.model_copy(update={"trials": tuple(trials)})
    assert "minus one" not in points_table(plain).legend
    assert points_table(plain).legend.endswith("are drawn.")
    trials[1] = trials[1].model_copy(update={"value": -1.0})
    assert (
        "; minus one where"
        in points_table(report.model_copy(update={"trials": tuple(trials)})).legend
    )


def test_the_sum_of_the_times_is_bold_and_how_far_off_is_explained(report: Report) -> None:
    split = report.model_copy(update={"time_split": {"training": 60.0, "scoring": 30.0}})
    assert [row.best for row in time_split_table(split).rows] == [False, False, True]
    assert '<tr class="best"><td>all</td>' in render_html(split)
    assert "Off: " in times_table(report).legend


def test_the_first_column_of_timings_stands_at_the_left() -> None:
    assert not timed_table(book.fit()).columns[0].number


def test_the_strategy_at_the_head_says_of_how_many_checkpoints(report: Report) -> None:
    facts = {fact.label: fact.value for fact in facts_of(report, find_scorer("ifeval"))}
    assert facts["strategy of the best of 4 checkpoints"] == "B"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("chat --run-dir runs/x --top-p 1", ["--run-dir", "--top-p"]),
        ("lr 4e-5 (--think keep), 3.48 GiB of 8 GiB", ["4e-5", "--think", "3.48 GiB", "8 GiB"]),
        ("smolsft-autotune demo at 25 %", ["smolsft-autotune", "25 %"]),
        ("7/24 29.2 % [15-49]; 9/541 [0.9-3.1]", ["29.2 %", "[15-49]", "[0.9-3.1]"]),
        ("runs/a--b/c and 1 - 2", []),
    ],
)
def test_what_does_not_fold_is_found_and_nothing_is_lost(text: str, kept: list[str]) -> None:
    parts = wholes(text)
    assert parts[1::2] == kept
    assert "".join(parts) == text


def test_a_name_folds_behind_its_parts_and_a_time_of_day_does_not() -> None:
    name = "length_constraints:number_words"
    assert name_parts(name) == ["length_", "constraints:", "number_", "words"]
    assert name_parts("2026-11-29 11:50:59") == ["2026-11-29 11:50:59"]
    assert wholes("2026-11-29 11:50:59")[1] == "2026-11-29"


def test_a_score_folds_before_its_interval_only() -> None:
    assert figures("16/541 26.7 % [17-39]") == ["16/541 26.7 %", "[17-39]"]
    assert figures("1.598, 1.473") == ["1.598,", "1.473"]
    assert figures("7.15 GiB") == ["7.15 GiB"]
