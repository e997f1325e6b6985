"""From a strategy (requested) and a fit (feasible) to a plan (what is trained)."""

from collections.abc import Mapping, Sequence
from typing import Any

from autotune.base.errors import BadInput
from autotune.data.survey import Survey
from autotune.protocol.held_out import held_out_count
from autotune.protocol.plan import Rounds, Strategy, TrainPlan
from autotune.protocol.result_text import rounds_text
from autotune.protocol.results import Fit, StrategyFit
from autotune.run.setup import Setup


def resolve_plan(
    strategy: Strategy,
    fit: Fit,
    survey: Survey,
    setup: Setup,
    parameters: Mapping[str, Any] | None = None,
) -> TrainPlan:
    """Clip a strategy to what fits; `parameters` replace values that the sampler chose.

    Length is the smaller of requested and feasible. Rounds stay as requested, or are those that the
    probe found: a row is never longer than the length, so rounds cannot make it outgrow what was
    tried. A step has the micro-batching that was fastest for this strategy, where that was timed.
    What is held out is not trained on.

    Raises:
        BadInput: the data keeps nothing to train on at this length.
    """
    length, rounds = clipped_length(strategy, fit), clipped_rounds(strategy, fit)
    kept = survey.of(strategy.name).kept(length, rounds)
    if kept.conversations == 0:
        raise BadInput(
            f"strategy {strategy.name}: {length} tokens and {rounds_text(rounds)} keep"
            " no supervised token; raise model_max_length or use shorter conversations"
        )
    micro_batching = timed_strategy(strategy, length, fit) or fit
    held_out = held_out_count(setup.profile.train.held_out, kept.conversations)
    # The optimizer's numbers are the strategy's, seed and checkpoints the profile's.
    return TrainPlan.from_parts(
        strategy,
        setup.profile.train,
        micro_batching,
        strategy=strategy.name,
        model_folder=str(setup.model_folder),
        data=setup.data_of(strategy.name).spec,
        conversations=kept.conversations - held_out,
        held_out=held_out,
        model_max_length=length,
        max_rounds=rounds,
        precision=setup.device_spec.precision,
        **dict(parameters or {}),
    )


def timed_strategy(strategy: Strategy, length: int, fit: Fit) -> StrategyFit | None:
    """How steps were fastest for a strategy; for one that was not timed, at the same length."""
    alike = (s for s in fit.strategies.values() if s.model_max_length == length)
    return fit.strategies.get(strategy.name) or next(alike, None)


def clipped_length(strategy: Strategy, fit: Fit) -> int:
    """The strategy's length in tokens, or what fits if that is less."""
    if strategy.model_max_length == "fits":
        return fit.model_max_length
    return min(strategy.model_max_length, fit.model_max_length)


def clipped_rounds(strategy: Strategy, fit: Fit) -> Rounds:
    """The strategy's rounds, or the most that the probe found to stay whole."""
    return fit.max_rounds if strategy.max_rounds == "fits" else strategy.max_rounds


def usable_strategies(
    strategies: Sequence[Strategy], fit: Fit, survey: Survey
) -> tuple[Strategy, ...]:
    """The strategies to try, in order of escalation.

    The fallbacks are for a machine on which none of the others fits; there they come
    first, and the others follow at the length that fits. Where no strategy keeps anything, all
    are given, and resolving the first says so.
    """
    regular = [s for s in strategies if not s.fallback]
    if any(fits_as_requested(s, fit, survey) for s in regular):
        return tuple(s for s in regular if fits_as_requested(s, fit, survey))
    fallbacks = [s for s in strategies if s.fallback and fits_as_requested(s, fit, survey)]
    clipped = [s for s in regular if keeps_something(s, fit, survey)]
    return tuple([*fallbacks, *clipped]) or tuple(strategies)


def keeps_something(strategy: Strategy, fit: Fit, survey: Survey) -> bool:
    """Whether there is a row left to train on at the strategy's length and rounds."""
    length, rounds = clipped_length(strategy, fit), clipped_rounds(strategy, fit)
    return survey.of(strategy.name).kept(length, rounds).conversations > 0


def fits_as_requested(strategy: Strategy, fit: Fit, survey: Survey) -> bool:
    """Whether a strategy's rows are not truncated below what it requests, and there are some."""
    if not keeps_something(strategy, fit, survey):
        return False
    if strategy.model_max_length == "fits":
        return True
    row = min(
        strategy.model_max_length,
        survey.of(strategy.name).longest(clipped_rounds(strategy, fit)),
    )
    return row <= fit.model_max_length
