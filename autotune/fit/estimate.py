"""What a strategy will be like at the lengths that fit: steps, what is kept, and how long it takes.

Times are measured speeds multiplied by the work to do: estimates, and shown as such.
"""

from autotune.data.retention_notes import cut_note, lost_note
from autotune.data.survey import Survey
from autotune.fit.resolve import clipped_length, clipped_rounds, fits_as_requested, resolve_plan
from autotune.fit.speed import Setting, timing, tokens_per_second
from autotune.protocol.plan import Strategy
from autotune.protocol.results import Fit, Measurement, StrategyFit
from autotune.run.setup import Setup


def scoring_seconds(setup: Setup, measurement: Measurement) -> float:
    """Seconds to answer all prompts once, every answer running to its cap: an upper estimate."""
    evaluate = setup.profile.evaluate
    batches = -(-len(setup.prompts) // setup.evaluation_rows)
    return batches * (
        measurement.prefill_seconds + evaluate.max_new_tokens * measurement.token_seconds
    )


def strategy_fit(
    strategy: Strategy,
    fit: Fit,
    survey: Survey,
    setup: Setup,
    measurement: Measurement,
    setting: Setting | None,
    *,
    planned: bool,
) -> StrategyFit:
    """One strategy clipped to the fit.

    `measurement` is of the accepted trial; its speed stands in where the strategy has no
    `setting` of its own. Evaluation is in both times: `eta_seconds` with the best setting,
    `eta_single_seconds` one row at a time.
    """
    length, rounds = clipped_length(strategy, fit), clipped_rounds(strategy, fit)
    own, own_data = survey.of(strategy.name), setup.own_data.get(strategy.name)
    kept = own.kept(length, rounds)
    lost = lost_note(strategy.name, length, rounds, own)
    if lost is not None and own_data is not None:
        lost = lost.model_copy(update={"data": own_data.label})
    point = setting.best.point if setting else None
    plain = StrategyFit(
        fits=fits_as_requested(strategy, fit, survey),
        planned=planned,
        model_max_length=length,
        max_rounds=rounds,
        micro_batch_tokens=point.micro_batch_tokens if point else fit.micro_batch_tokens,
        gradient_checkpointing=(
            point.gradient_checkpointing if point else fit.gradient_checkpointing
        ),
        packing=point.packing if point else False,
        torch_compile=point.torch_compile if point else False,
        conversations=kept.conversations,
        kept_supervised=kept.supervised_share,
        steps=0,
        eta_seconds=0.0,
        batch_size=strategy.batch_size,
        lost=lost,
        cut=cut_note(strategy.name, length, rounds, own),
    )
    if kept.conversations == 0:
        return plain
    plan = resolve_plan(strategy, fit, survey, setup)
    tokens = kept.tokens * plan.num_train_epochs
    candidates = len(plan.checkpoint_steps) + (plan.averaged > 0)
    scoring = scoring_seconds(setup, measurement) * candidates
    speed = tokens_per_second(setting.best) if setting else fit.tokens_per_second
    known = plain.model_copy(
        update={
            "steps": plan.total_steps,
            "eta_seconds": tokens / speed + scoring,
            "training_seconds": tokens / speed,
            "tokens_per_second": speed,
            "evaluations": candidates,
        }
    )
    if setting is None:
        return known
    timed = timing(setting.best)
    assert timed is not None
    return known.model_copy(
        update={
            "eta_single_seconds": tokens / tokens_per_second(setting.single) + scoring,
            "supervised_tokens_per_second": timed.supervised_tokens / timed.seconds,
            "peak_bytes": setting.best.measurement.peak_bytes if setting.best.measurement else None,
        }
    )
