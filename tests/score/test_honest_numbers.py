"""Comparisons of two models, the best of several, and halves to choose and to report by."""

import random
from fractions import Fraction
from math import comb

import pytest

from autotune.base.errors import BadInput
from autotune.score.bootstrap import correct_selection_bias
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.prompt_order import answered_in_order, halves, shuffled
from autotune.score.stats import Comparison, exact_p, mcnemar


def prompts(count: int) -> list[IFEvalPrompt]:
    return [
        IFEvalPrompt(
            key=k, prompt=f"p{k}", instruction_id_list=("punctuation:no_comma",), kwargs=({},)
        )
        for k in range(count)
    ]


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 32),
        (1, 9, 22 / 1024),
        (10, 2, 158 / 4096),
    ],
)
def test_mcnemar_s_exact_p_values(first: int, second: int, p: float) -> None:
    assert exact_p(first, second) == pytest.approx(p, rel=1e-12)
    assert exact_p(second, first) == exact_p(first, second)


def test_a_p_value_is_the_chance_of_all_splits_that_are_as_uneven() -> None:
    for flips in (7, 20, 65, 1600):
        for first in range(0, flips + 1, max(1, flips // 20)):
            uneven = abs(2 * first - flips)
            ways = sum(comb(flips, k) for k in range(flips + 1) if abs(2 * k - flips) >= uneven)
            assert exact_p(first, flips - first) == pytest.approx(
                float(Fraction(ways, 2**flips)), rel=1e-12
            )


def test_a_comparison_counts_the_four_cells_and_the_same_model_does_not_differ() -> None:
    first = [True, True, False, False, True]
    second = [True, False, True, False, False]
    assert mcnemar(first, second) == Comparison(
        both=1, only_first=2, only_second=1, neither=1, p_value=1.0
    )
    assert mcnemar(first, first).p_value == 1
    with pytest.raises(ValueError):
        mcnemar(first, second[1:])


def test_equal_models_differ_in_the_twentieth_of_trials_at_most() -> None:
    draw = random.Random(4)
    significant = 0
    for _ in range(400):
        pairs = [(draw.random() < 0.3, draw.random() < 0.3) for _ in range(100)]
        significant += mcnemar(*zip(*pairs, strict=True)).p_value <= 0.05
    assert significant <= 20


def test_the_best_of_equal_checkpoints_is_corrected_to_about_what_each_is_worth() -> None:
    draw = random.Random(5)
    naive = corrected = 0.0
    for number in range(60):
        table = [[draw.random() < 0.25 for _ in range(200)] for _ in range(8)]
        found = correct_selection_bias(table, seed=number, draws=200)
        naive += found.score / 60
        corrected += found.corrected / 60
        assert found.corrected <= found.score
    assert naive > 0.28
    assert corrected == pytest.approx(0.25, abs=0.008)


def test_a_winner_far_ahead_needs_next_to_no_correction_and_one_alone_none() -> None:
    draw = random.Random(6)
    good = [draw.random() < 0.6 for _ in range(300)]
    poor = [draw.random() < 0.2 for _ in range(300)]
    found = correct_selection_bias([poor, good, poor], seed=1)
    assert (found.winner, found.candidates) == (1, 3)
    assert found.score == sum(good) / 300
    assert found.corrected == pytest.approx(found.score, abs=0.005)
    assert found.interval[0] < found.corrected < found.interval[1]
    alone = correct_selection_bias([good], seed=1)
    assert alone.corrected == alone.score


def test_the_same_seed_gives_the_same_estimate_and_nothing_is_refused() -> None:
    table = [[True, False] * 20, [False, True] * 20]
    assert correct_selection_bias(table, seed=3) == correct_selection_bias(table, seed=3)
    for wrong in ([], [[]]):
        with pytest.raises(ValueError):
            correct_selection_bias(wrong, seed=3)


def test_one_prompt_alone_has_an_estimate_too() -> None:
    found = correct_selection_bias([[True], [False]], seed=0)
    assert (found.winner, found.corrected, found.interval) == (0, 1.0, (0.0, 1.0))


def test_the_halves_are_fixed_by_the_seed_alone_and_share_no_prompt() -> None:
    asked = prompts(541)
    choose, report = halves(asked, seed=0)
    assert (len(choose), len(report)) == (270, 271)
    assert sorted(p.key for p in (*choose, *report)) == list(range(541))
    backwards, _ = halves(asked[::-1], seed=0)
    assert {p.key for p in backwards} == {p.key for p in choose}
    assert [p.key for p in choose] == sorted(p.key for p in choose)
    other, _ = halves(asked, seed=1)
    assert other != choose
    with pytest.raises(BadInput, match="at least 2"):
        halves(asked[:1], seed=0)


def test_the_order_is_fixed_by_the_seed_alone_and_is_not_that_of_the_halves() -> None:
    asked = prompts(100)
    order = shuffled(asked, seed=0)
    assert order == shuffled(asked[::-1], seed=0)
    assert order != shuffled(asked, seed=1)
    assert sorted(p.key for p in order) == list(range(100))
    chosen = {p.key for p in halves(asked, seed=0)[0]}
    assert 10 < len(chosen & {p.key for p in order[:50]}) < 40


def test_verdicts_count_up_to_the_first_prompt_that_has_none() -> None:
    order = shuffled(prompts(6), seed=0)
    keys = [prompt.key for prompt in order]
    assert answered_in_order(order, {}) == ()
    assert answered_in_order(order, {keys[1]: True}) == ()
    assert answered_in_order(order, {keys[0]: False, keys[1]: True, keys[3]: True}) == (False, True)
    assert answered_in_order(order, dict.fromkeys(keys, True)) == (True,) * 6
