"""The search for the fastest way to cut a step: what is tried, what is taken, what is confirmed."""

from typing import Any

import pytest

from autotune.fit.resolve import resolve_plan
from autotune.fit.reuse import micro_batching_of, most_demanding
from autotune.protocol.failure import Failure
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Fit, Verdict
from autotune.text.fit import micro_batching_text
from tests import setups
from tests.played import BASE, EACH, Memory, fitting, probing

DATA = setups.survey(*[[100, 100]] * 16)


def found(memory: Memory, limit: int = fitting(5000), speed_trials: int = 8, **more: Any) -> Fit:
    """The fit of one strategy of eight conversations a step, 200 tokens each."""
    chosen = setups.strategy("A", model_max_length=256, max_rounds=2)
    bounds = {"gradient_checkpointing": True, "speed_trials": speed_trials} | more
    with probing(memory, DATA, limit, chosen, **bounds) as probe:
        return probe.run()


def by_tokens(point: TrialPoint) -> float:
    """Twice the tokens at once take six tenths of the time; recomputing costs a third."""
    doublings = (point.micro_batch_tokens // 256).bit_length() - 1
    return 10 * 0.6**doublings * (4 / 3 if point.gradient_checkpointing else 1)


def test_memory_that_is_left_is_spent_on_speed_and_the_gain_is_reported() -> None:
    fit = found(Memory(BASE, EACH, seconds=by_tokens))
    strategy = fit.strategies["A"]
    assert not strategy.gradient_checkpointing
    assert strategy.micro_batch_tokens == 2048
    assert strategy.eta_single_seconds is not None
    # From one row with recomputing to eight without: 4/3 / 0.6^3.
    assert strategy.eta_single_seconds / strategy.eta_seconds == pytest.approx(6.17, abs=0.01)
    assert strategy.supervised_tokens_per_second == pytest.approx(8 * 50 / (10 * 0.6**3))


def test_the_effective_batch_and_the_steps_stay_whatever_is_fastest() -> None:
    fit = found(Memory(BASE, EACH, seconds=by_tokens))
    chosen = setups.strategy("A", model_max_length=256, max_rounds=2)
    setup = setups.setup(setups.profile(chosen))
    fast = resolve_plan(chosen, fit, DATA, setup)
    slow = resolve_plan(chosen, fit.model_copy(update={"strategies": {}}), DATA, setup)
    assert fast.micro_batch_tokens > slow.micro_batch_tokens
    assert (fast.batch_size, fast.total_steps) == (slow.batch_size, slow.total_steps)
    assert fast.identity == slow.identity


def test_the_fastest_setting_fits_the_budget_in_a_fresh_process() -> None:
    limit = fitting(1100)
    fit = found(Memory(BASE, EACH, seconds=by_tokens), limit)
    strategy = fit.strategies["A"]
    assert strategy.micro_batch_tokens == 1024
    last = fit.speed_trials[-1]
    assert last.verdict is Verdict.FITS
    assert last.point.micro_batch_tokens == strategy.micro_batch_tokens
    assert last.measurement is not None
    assert last.measurement.fresh
    assert last.measurement.peak_bytes <= limit


def test_rows_are_packed_where_that_was_measured_to_be_faster() -> None:
    def packing_pays(point: TrialPoint) -> float:
        return by_tokens(point) * (0.8 if point.packing else 1.0)

    fit = found(Memory(BASE, EACH, seconds=packing_pays))
    assert fit.strategies["A"].packing
    assert fit.speed_trials[-1].point.packing
    chosen = setups.strategy("A", model_max_length=256, max_rounds=2)
    plan = resolve_plan(chosen, fit, DATA, setups.setup(setups.profile(chosen)))
    assert plan.packing
    assert plan.identity == plan.model_copy(update={"packing": False}).identity


def test_what_does_not_fit_again_is_not_taken() -> None:
    whole = found(Memory(BASE, EACH, seconds=by_tokens))
    trials = len(whole.trials) + len(whole.speed_trials)
    refused: setups.Played = ([], setups.failed(Failure.OUT_OF_MEMORY, "out of memory"))
    plays = dict.fromkeys(range(trials - 1, trials + 9), refused)
    fit = found(Memory(BASE, EACH, plays, seconds=by_tokens))
    assert len(fit.speed_trials) == 8
    strategy = fit.strategies["A"]
    assert strategy.micro_batch_tokens == 256
    assert strategy.gradient_checkpointing


def test_where_the_fastest_does_not_fit_again_the_next_fastest_is_taken() -> None:
    whole = found(Memory(BASE, EACH, seconds=by_tokens))
    assert whole.strategies["A"].micro_batch_tokens == 2048
    confirming = len(whole.trials) + len(whole.speed_trials) - 1
    refused: setups.Played = ([], setups.failed(Failure.OUT_OF_MEMORY, "out of memory"))
    memory = Memory(BASE, EACH, {confirming: refused}, seconds=by_tokens)
    strategy = found(memory).strategies["A"]
    assert strategy.micro_batch_tokens == 1024
    assert not strategy.gradient_checkpointing


def test_larger_micro_batches_that_gain_nothing_are_not_taken() -> None:
    fit = found(Memory(BASE, EACH))
    assert fit.strategies["A"].micro_batch_tokens == 256
    assert fit.strategies["A"].gradient_checkpointing
    assert fit.strategies["A"].eta_single_seconds == fit.strategies["A"].eta_seconds
    assert len(fit.speed_trials) == 4
    assert not fit.strategies["A"].packing


def test_where_only_recomputing_fits_it_stays_on_and_more_tokens_are_tried() -> None:
    # A quarter of the memory with recomputing: 200 tokens fit as 50, and 256 without do not.
    fit = found(Memory(BASE, EACH, seconds=by_tokens), fitting(110))
    strategy = fit.strategies["A"]
    assert strategy.gradient_checkpointing
    assert strategy.micro_batch_tokens == 512


def test_no_speed_trials_means_none() -> None:
    fit = found(Memory(BASE, EACH, seconds=by_tokens), speed_trials=0)
    assert fit.speed_trials == ()
    assert fit.strategies["A"].micro_batch_tokens == fit.micro_batch_tokens
    assert fit.strategies["A"].eta_single_seconds is None


def test_trials_for_speed_are_limited_but_the_confirmation_is_never_left_out() -> None:
    fit = found(Memory(BASE, EACH, seconds=by_tokens), speed_trials=3)
    assert len(fit.speed_trials) == 4
    assert fit.speed_trials[-1].measurement is not None
    assert fit.speed_trials[-1].measurement.fresh


def compiling_pays(point: TrialPoint) -> float:
    return by_tokens(point) * (0.7 if point.torch_compile else 1.0)


def test_compiled_layers_are_tried_last_where_they_are_asked_for() -> None:
    fit = found(Memory(BASE, EACH, seconds=compiling_pays), torch_compile="try")
    strategy = fit.strategies["A"]
    assert strategy.torch_compile
    assert not strategy.gradient_checkpointing
    assert [t.point.torch_compile for t in fit.speed_trials].index(True) >= 3
    assert strategy.peak_bytes == fit.speed_trials[-1].measurement.peak_bytes  # type: ignore[union-attr]
    chosen = setups.strategy("A", model_max_length=256, max_rounds=2)
    plan = resolve_plan(chosen, fit, DATA, setups.setup(setups.profile(chosen)))
    assert plan.torch_compile
    assert plan.identity == plan.model_copy(update={"torch_compile": False}).identity
    assert micro_batching_text(strategy).endswith("tokens, compiled")


@pytest.mark.parametrize(
    ("how", "card", "tried"),
    [("auto", True, True), ("auto", False, False), ("never", True, False), ("try", False, True)],
)
def test_on_a_card_compiled_layers_are_tried_unless_a_profile_says_otherwise(
    how: str, card: bool, tried: bool
) -> None:
    fit = found(Memory(BASE, EACH, seconds=compiling_pays), card=card, torch_compile=how)
    assert any(trial.point.torch_compile for trial in fit.speed_trials) == tried
    assert fit.strategies["A"].torch_compile == tried


def test_a_compiler_that_does_not_work_is_no_way_to_train() -> None:
    """The trial went on without it, and was faster by chance."""
    memory = Memory(BASE, EACH, seconds=compiling_pays, compiles=False)
    fit = found(memory, torch_compile="try")
    assert any(trial.point.torch_compile for trial in fit.speed_trials)
    assert not fit.strategies["A"].torch_compile


def test_packed_rows_and_compiled_layers_can_be_the_fastest_together() -> None:
    def both_pay(point: TrialPoint) -> float:
        return compiling_pays(point) * (0.8 if point.packing else 1.0)

    fit = found(Memory(BASE, EACH, seconds=both_pay), card=True)
    assert (fit.strategies["A"].packing, fit.strategies["A"].torch_compile) == (True, True)
    most = most_demanding(fit)
    assert most is not None
    assert micro_batching_of(most.point) in {
        micro_batching_of(s) for s in fit.strategies.values()
    } | {micro_batching_of(fit_way(fit))}


def fit_way(fit: Fit) -> TrialPoint:
    """One row at a time, as the length was searched."""
    return fit.trials[0].point
