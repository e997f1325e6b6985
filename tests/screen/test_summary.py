"""The closing words of a run and of a probe."""

from pathlib import Path

import pytest

from autotune.base.format import quoted
from autotune.protocol import events
from autotune.protocol.scores import Lift, Metric
from autotune.run.state import replay
from autotune.screen import (
    probe_summary,
    summary,
)
from autotune.text.fit import fit_sentence
from tests import records as book
from tests.screens import FOLDER, WIDTHS, printed, squeezed


def test_the_end_of_a_met_run_names_the_checkpoint_scores_k_report_and_what_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (FOLDER / "trials" / "0001" / "checkpoints" / "step-000020").mkdir(parents=True)
    text = squeezed(printed(summary(replay(book.story()), FOLDER), 200))
    best = FOLDER / "trials" / "0001" / "checkpoints" / "step-000020"

    assert "Target of 25.0 % met" in text
    assert f"best checkpoint: {best}" in text
    assert "before training 3/24 12.5 % [4-31] stop 71 loop 17 echo 0 empty 0 %" in text
    assert "after training 8/24 33.3 % [18-53] stop 96 loop 0 echo 4 empty 0 %" in text
    assert "Best of 4 checkpoints (selection bias)" in text
    assert "The interval reaches down to 18.0 %, below the target" in text
    assert f"report: {FOLDER / 'report.html'}" in text
    assert f"smolsft-autotune eval {best} --prompts ifeval --prompt-limit all" in text
    assert "no better than an echo" not in text


def test_a_parrot_is_called_one() -> None:
    text = squeezed(printed(summary(replay(book.parrot()), FOLDER), 200))

    assert "Target of 25.0 % not met" in text
    assert (
        "Not healthy: echo 100.0 % is above 20.0 %. An answer that gives the prompt back passes"
        in text
    )
    assert (
        "Giving each prompt back unchanged scores 9/24 37.5 % [21-57] on the same prompts: the best"
        " checkpoint is no better than an echo." in text
    )


def test_an_unfinished_run_says_how_to_go_on() -> None:
    text = squeezed(printed(summary(replay(book.training()), Path("my runs") / "one"), 200))

    assert "The run has not finished; the target of 25.0 % is not met so far." in text
    assert "No checkpoint has a valid score yet." in text
    assert "to resume: give the same command again" in text
    assert f"--run-dir {quoted(str(Path('my runs') / 'one'))}" in text


BUDGET = "budget 6.00 GiB: 7.00 GiB free now less 1.00 GiB in reserve"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_end_of_a_probe_gives_answer_evidence_and_estimates(width: int) -> None:
    text = printed(probe_summary(book.fit(), BUDGET), width)
    assert max(map(len, text.splitlines())) <= width
    text = squeezed(text.replace("│", ""))

    assert "model_max_length 256 with max_rounds 4" in text
    assert "peak 3.10 GiB of 6.00 GiB" in text
    assert "7.00 GiB free now less 1.00 GiB in reserve" in text
    assert "OVER_BUDGET" in text
    assert "about 2 min" in text
    assert "Times are at most" in text


def test_the_rounds_of_strategies_are_told_from_those_that_stay_whole() -> None:
    found = book.fit()
    assert "with max_rounds 4 (the most that this length keeps whole), in" in fit_sentence(found)
    one = {
        name: s.model_copy(update={"max_rounds": 1}) if name == "B" else s
        for name, s in found.strategies.items()
    }
    assert (
        "with max_rounds 4 (the most that this length keeps whole; strategy B: 1 round), in"
    ) in fit_sentence(found.model_copy(update={"strategies": one}))


@pytest.mark.parametrize("width", WIDTHS)
def test_what_spare_memory_buys_is_shown_with_each_way_that_was_timed(width: int) -> None:
    fit = book.fit()
    text = printed(probe_summary(fit, BUDGET, "nothing changed (from a)"), width)
    assert max(map(len, text.splitlines())) <= width
    text = squeezed(text.replace("│", ""))

    assert "about 10 min -> about 2 min" in text
    assert "1000" in text
    assert "tokens/s" in text, "a speed has its unit, with a head of columns or without"
    assert "supervised tokens/s" not in text, "there is one measure of speed"
    assert "Arrows: one sequence per micro-batch -> the fastest setting" in text
    assert "measured 3.10 GiB: 3.2 % too low" in text
    assert "nothing changed (from a)" in text


def test_a_checkpoint_that_follows_is_better_than_an_echo_that_scores_more() -> None:
    def lifted(event: events.RunEvent) -> events.RunEvent:
        if not isinstance(event, events.BaselineScored | events.Evaluated):
            return event
        genuine = 1 if isinstance(event, events.BaselineScored) else 8
        rate = Lift(genuine=Metric.of(genuine, 24), shuffled=Metric.of(24, 240), p_value=0.01)
        return event.model_copy(update={"lift": rate})

    told = [r.model_copy(update={"event": lifted(r.event)}) for r in book.parrot()]
    text = squeezed(printed(summary(replay(told), FOLDER), 200))
    assert "no better than an echo" not in text
    assert "lift -5.8" in text and "lift +23.3" in text
