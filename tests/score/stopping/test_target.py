"""Stopping early is wrong no more often than was asked for."""

import pytest

from autotune.score.stopping.target import TargetTest, needed_passes


def chance_of_wrong(test: TargetTest, truth: int) -> float:
    """How probable it is to give up wrongly, over all orders of the prompts, summed exactly."""
    undecided, wrong = {0: 1.0}, 0.0
    for number in range(1, test.total + 1):
        after: dict[int, float] = {}
        for passes, chance in undecided.items():
            one = (truth - passes) / (test.total - number + 1)
            after[passes + 1] = after.get(passes + 1, 0.0) + chance * one
            after[passes] = after.get(passes, 0.0) + chance * (1 - one)
        undecided = {}
        for passes, chance in after.items():
            if chance > 0 and not test.is_out_of_reach(number, passes):
                undecided[passes] = chance
            elif truth >= test.needed:
                wrong += chance
    assert truth >= test.needed or sum(undecided.values()) < 1e-9
    return wrong


@pytest.mark.parametrize("alpha", [0.05, 0.3])
@pytest.mark.parametrize(("total", "needed"), [(24, 6), (24, 1), (24, 24), (60, 15), (7, 4)])
def test_a_target_that_would_be_met_is_given_up_with_probability_alpha_at_most(
    total: int, needed: int, alpha: float
) -> None:
    test = TargetTest(total, needed, alpha)
    wrong = [chance_of_wrong(test, truth) for truth in range(total + 1)]
    assert max(wrong) <= alpha
    if (total, needed, alpha) == (60, 15, 0.3):
        assert max(wrong) > alpha / 3  # the bound is not bought with never deciding


@pytest.mark.parametrize(("total", "needed"), [(48, 12), (120, 30)])
def test_of_a_hundred_checkpoints_that_reach_the_target_less_than_one_is_given_up(
    total: int, needed: int
) -> None:
    test = TargetTest(total, needed)
    assert 0 < max(chance_of_wrong(test, truth) for truth in range(needed, needed + 3)) < 0.01


def test_a_hopeless_checkpoint_is_stopped_after_a_few_answers_and_a_good_one_never() -> None:
    test = TargetTest(541, needed_passes(541, 0.25))
    assert next(n for n in range(541) if test.is_out_of_reach(n, 0)) < 40
    assert not any(test.is_out_of_reach(n, n) for n in range(541))


def test_what_is_certain_is_decided_at_once() -> None:
    assert not TargetTest(10, 3).is_out_of_reach(3, 3)
    assert TargetTest(10, 9).is_out_of_reach(2, 0)
    assert not TargetTest(10, 0).is_out_of_reach(0, 0)
    assert TargetTest(10, 11).is_out_of_reach(0, 0)
    assert not TargetTest(10, 5).is_out_of_reach(0, 0)


@pytest.mark.parametrize("total", [1, 24, 100, 541])
def test_with_every_prompt_answered_the_decision_is_the_truth(total: int) -> None:
    needed = needed_passes(total, 0.25)
    for passes in range(total + 1):
        assert TargetTest(total, needed).is_out_of_reach(total, passes) == (passes / total < 0.25)


def test_the_passes_needed_are_the_fewest_that_reach_the_target() -> None:
    assert needed_passes(541, 0.25) == 136
    assert needed_passes(24, 0.25) == 6
    assert needed_passes(100, 0.29) == 29
    assert needed_passes(10, 0.0) == 0
    assert needed_passes(10, 1.5) == 11
