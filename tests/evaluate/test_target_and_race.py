"""Stopping early is wrong no more often than was asked for."""

import random
from math import inf, log

import pytest

from autotune.evaluate.race import dropped, evidence
from autotune.evaluate.sequential import TargetTest, needed_passes


def chance_of_wrong(test: TargetTest, truth: int) -> float:
    """How probable a wrong decision is, over all orders of the prompts, summed exactly."""
    undecided, wrong = {0: 1.0}, 0.0
    for number in range(1, test.total + 1):
        after: dict[int, float] = {}
        for passes, chance in undecided.items():
            one = (truth - passes) / (test.total - number + 1)
            after[passes + 1] = after.get(passes + 1, 0.0) + chance * one
            after[passes] = after.get(passes, 0.0) + chance * (1 - one)
        undecided = {}
        for passes, chance in after.items():
            decision = test.decide(number, passes) if chance > 0 else None
            if decision is None:
                undecided[passes] = chance
            elif (decision == "met") != (truth >= test.needed):
                wrong += chance
    assert sum(undecided.values()) < 1e-9
    return wrong


@pytest.mark.parametrize("alpha", [0.05, 0.3])
@pytest.mark.parametrize(("total", "needed"), [(24, 6), (24, 1), (24, 24), (60, 15), (7, 4)])
def test_the_target_is_judged_wrongly_with_probability_alpha_at_most(
    total: int, needed: int, alpha: float
) -> None:
    test = TargetTest(total, needed, alpha)
    wrong = [chance_of_wrong(test, truth) for truth in range(total + 1)]
    assert max(wrong) <= alpha
    if (total, needed, alpha) == (60, 15, 0.3):
        assert max(wrong) > alpha / 3  # the bound is not bought with never deciding


def test_a_hopeless_checkpoint_is_stopped_after_a_few_answers_and_a_good_one_is_met_soon() -> None:
    test = TargetTest(541, needed_passes(541, 0.25))
    assert next(n for n in range(541) if test.decide(n, 0) == "not met") < 40
    assert next(n for n in range(1, 541) if test.decide(n, n) == "met") < 20


def test_what_is_certain_is_decided_at_once() -> None:
    assert TargetTest(10, 3).decide(3, 3) == "met"
    assert TargetTest(10, 9).decide(2, 0) == "not met"
    assert TargetTest(10, 0).decide(0, 0) == "met"
    assert TargetTest(10, 11).decide(0, 0) == "not met"
    assert TargetTest(10, 5).decide(0, 0) is None


@pytest.mark.parametrize("total", [1, 24, 100, 541])
def test_with_every_prompt_answered_the_decision_is_the_truth(total: int) -> None:
    needed = needed_passes(total, 0.25)
    for passes in range(total + 1):
        decision = TargetTest(total, needed).decide(total, passes)
        assert decision == ("met" if passes / total >= 0.25 else "not met")


def test_the_passes_needed_are_the_fewest_that_reach_the_target() -> None:
    assert needed_passes(541, 0.25) == 136
    assert needed_passes(24, 0.25) == 6
    assert needed_passes(100, 0.29) == 29
    assert needed_passes(10, 0.0) == 0
    assert needed_passes(10, 1.5) == 11


@pytest.mark.parametrize(("mine", "theirs", "ties"), [(5, 5, 4), (6, 5, 0), (8, 8, 0), (4, 2, 6)])
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_a_checkpoint_that_is_no_worse_is_dropped_with_probability_alpha_at_most(
    mine: int, theirs: int, ties: int, alpha: float
) -> None:
    total = mine + theirs + ties
    undecided, lost = {(0, 0): 1.0}, 0.0
    for number in range(1, total + 1):
        left = total - number + 1
        after: dict[tuple[int, int], float] = {}
        for (b, c), chance in undecided.items():
            for then, share in (
                ((b + 1, c), (mine - b) / left),
                ((b, c + 1), (theirs - c) / left),
                ((b, c), (ties - (number - 1 - b - c)) / left),
            ):
                if share > 0:
                    after[then] = after.get(then, 0.0) + chance * share
        undecided = {}
        for (b, c), chance in after.items():
            if evidence(b, c, total - number) >= log(1 / alpha):
                lost += chance
            else:
                undecided[b, c] = chance
    assert lost <= alpha


def test_no_lead_of_the_other_is_no_evidence_and_a_lead_out_of_reach_is_certainty() -> None:
    assert evidence(3, 3, 10) == -inf
    assert evidence(4, 3, 10) == -inf
    assert evidence(0, 3, 2) == inf
    assert 0 < evidence(0, 12, 400) < inf


def test_the_better_of_two_is_kept_and_the_worse_dropped_long_before_the_end() -> None:
    draw = random.Random(1)
    good = [draw.random() < 0.4 for _ in range(541)]
    bad = [passed and draw.random() < 0.4 for passed in good]
    at = next(n for n in range(1, 541) if dropped({"a": good[:n], "b": bad[:n]}, ["a", "b"], 541))
    assert at < 100
    assert dropped({"a": good[:at], "b": bad[:at]}, ["a", "b"], 541) == {"b": "a"}


def test_more_rivals_need_more_evidence_and_equals_all_stay() -> None:
    some, none = [True] * 9, [False] * 9
    assert dropped({"a": some, "b": none}, ["a", "b"], 541) == {"b": "a"}
    crowd = {"a": some, "b": none} | {f"c{n}": some for n in range(98)}
    assert dropped(crowd, ["a", "b"], 541) == {}
    assert dropped({"a": some, "b": some, "c": some}, ["a", "b", "c"], 9) == {}


def test_checkpoints_are_compared_on_the_prompts_that_both_have_answered() -> None:
    ahead = {"a": [True] * 300, "b": [False]}
    assert dropped(ahead, ["a", "b"], 541) == {}


def test_one_checkpoint_always_stays() -> None:
    rows = {str(n): [n > k for k in range(40)] for n in range(0, 41, 8)}
    live = list(rows)
    losers = dropped(rows, live, 40)
    assert set(live) - set(losers) == {"40"}
    assert dropped({"a": [True]}, ["a"], 1) == {}


def test_one_stays_even_if_each_is_beaten_on_the_prompts_it_shares_with_another() -> None:
    # On the first 60 c beats a and a beats b, but b and c have come further, and there b beats c.
    a = [n < 30 for n in range(60)]
    b = [n >= 60 for n in range(400)]
    c = [n < 60 for n in range(400)]
    losers = dropped({"a": a, "b": b, "c": c}, ["a", "b", "c"], 400)
    assert 1 <= len(losers) <= 2
