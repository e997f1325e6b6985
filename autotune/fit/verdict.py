"""From how a trial ended and what it measured to a verdict with a reason in words."""

import itertools
from collections.abc import Sequence

from autotune.base.error_texts import Meaning, known
from autotune.base.sizes import show_apart, show_size
from autotune.device.budget import Budget
from autotune.device.spill import (
    ADVICE,
    Conditions,
    Sign,
    Spill,
    has_spilled,
    in_doubt,
    spill_signs,
)
from autotune.launch import JobResult
from autotune.launch.worker_errors import with_remedy
from autotune.protocol.choices import Precision
from autotune.protocol.events import Failed
from autotune.protocol.failure import Failure
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Measurement, TrialOutcome, Verdict

MIN_STEPS = 3
"""Two steps hold optimizer state and accumulated gradients; one more follows the generation."""

FOR_MEMORY = frozenset(
    {Verdict.OVER_BUDGET, Verdict.OUT_OF_MEMORY, Verdict.SPILLED, Verdict.THRASHED}
)
"""Verdicts that say there is too little memory; the others do not."""

FAR_BELOW_LIMIT_SHARE = 0.75
"""A card that is full of us holds nearly the limit when it refuses. Below this share of it, what
ran out is something else: locked memory of the computer, or the card by another program."""


def judge(
    point: TrialPoint,
    result: JobResult,
    measurement: Measurement | None,
    budget: Budget,
    earlier: Sequence[TrialOutcome] = (),
    conditions: Conditions | None = None,
) -> TrialOutcome:
    """The verdict on one trial. Nothing whose peak is above the budget is ever FITS.

    `earlier` trials tell how long a step of this size should take, `conditions` what else its time
    may come from (None: this system, and nothing that throttled the card).
    """
    if conditions is None:
        conditions = Conditions()
    if result.failure is not None:
        verdict, reason = _ended(result, budget)
    elif measurement is None:
        verdict, reason = Verdict.CRASHED, "ended without a measurement"
    else:
        verdict, reason = _measured(point, measurement, budget, earlier, conditions)
    return TrialOutcome(
        point=point,
        verdict=verdict,
        reason=reason,
        seconds=result.seconds,
        measurement=measurement,
    )


def suspected(result: JobResult, budget: Budget) -> bool:
    """Whether a failure may have been for memory and may not: its size alone does not show it.

    Either the error is one that a full card raises among others, or the driver refused memory
    while we held far less than we may.
    """
    if result.failure is Failure.SUSPECTED:
        return True
    return result.failed is not None and _refused_early(result.failed, budget)


def perhaps_spilled(
    outcome: TrialOutcome,
    budget: Budget,
    earlier: Sequence[TrialOutcome],
    conditions: Conditions,
) -> bool:
    """Whether one more trial in a fresh process has to say if this one spilled."""
    if outcome.verdict is not Verdict.SPILLED or outcome.measurement is None:
        return False
    return in_doubt(_signs(outcome.point, outcome.measurement, budget, earlier, conditions))


def remedy(verdict: Verdict, precision: Precision) -> str:
    """What to do where not even the shortest row gets another verdict than this one."""
    match verdict:
        case Verdict.NUMERIC:
            others = " or ".join(p.value for p in Precision if p is not precision)
            return f"its numbers leave the range of {precision.value}: give --precision {others}"
        case Verdict.CRASHED:
            return "its size is not the cause: look at the trial's worker.log"
        case Verdict.TIMED_OUT:
            return (
                "look at the trial's worker.log; if it was only slow, raise trial_timeout_seconds"
                " under [probe] in the profile"
            )
        case Verdict.SPILLED:
            return "close what else uses the card, or choose a smaller model"
        case _:
            return "close what else uses the memory, raise --vram-budget, or choose a smaller model"


def _ended(result: JobResult, budget: Budget) -> tuple[Verdict, str]:
    """The verdict on a trial that did not come to its end."""
    limit, failed = show_size(budget.limit_bytes), result.failed
    match result.failure:
        case Failure.OVER_BUDGET:
            peak, limit = show_apart(result.peak_bytes, budget.limit_bytes)
            return Verdict.OVER_BUDGET, f"stopped at {peak} in {result.phase}, budget {limit}"
        case Failure.TIMED_OUT:
            return Verdict.TIMED_OUT, result.reason
        case Failure.OUT_OF_MEMORY if failed and _refused_early(failed, budget):
            return Verdict.OUT_OF_MEMORY, (
                f"memory refused in {result.phase} at only {show_size(failed.memory_bytes or 0)} of"
                f" {limit}: perhaps locked (pinned) memory of the computer or another program on"
                " the card, not the size"
            )
        case Failure.OUT_OF_MEMORY:
            return Verdict.OUT_OF_MEMORY, f"out of memory in {result.phase}" + _held(failed, limit)
        case Failure.SUSPECTED:
            return Verdict.OUT_OF_MEMORY, f"probably out of memory: {result.reason}"
        case Failure.HOST_MEMORY:
            return Verdict.CRASHED, f"in {result.phase}: {with_remedy(result.reason)}"
        case Failure.NUMERIC:
            return Verdict.NUMERIC, result.reason
        case _:
            return Verdict.CRASHED, with_remedy(result.reason)


def _measured(
    point: TrialPoint,
    measurement: Measurement,
    budget: Budget,
    earlier: Sequence[TrialOutcome],
    conditions: Conditions,
) -> tuple[Verdict, str]:
    """The verdict on a trial that came to its end, by what it measured."""
    if not measurement.finite:
        return Verdict.NUMERIC, "the loss or the gradients are not finite"
    if measurement.steps < MIN_STEPS:
        return (
            Verdict.CRASHED,
            f"ran {measurement.steps} of {MIN_STEPS} optimizer steps",
        )
    signs = _signs(point, measurement, budget, earlier, conditions)
    if not budget.holds(measurement.peak_bytes):
        peak, limit = show_apart(measurement.peak_bytes, budget.limit_bytes)
        reason = f"peak {peak} is above the budget of {limit}"
        if any(spill.sign is Sign.REACH for spill in signs):
            reason += f" and nothing was raised: the driver lent the computer's memory; {ADVICE}"
        return Verdict.OVER_BUDGET, reason
    signs_text = "; ".join(spill.reason for spill in signs)
    if has_spilled(signs):
        perhaps = "perhaps " if in_doubt(signs) and not _again(point, earlier) else ""
        return Verdict.SPILLED, f"the card is {perhaps}over-full ({signs_text}); {ADVICE}"
    if _thrashed(measurement):
        where = "in two steps running, so every step would wait" if measurement.step_retries else ""
        return Verdict.THRASHED, (
            f"the allocator had to flush its cache {measurement.allocator_retries} times {where}"
        ).rstrip()
    slow = f"; slow, and not for memory: {signs_text}" if signs else ""
    if conditions.throttled_by:
        slow += f"; the card was throttled ({', '.join(conditions.throttled_by)})"
    peak = show_size(measurement.peak_bytes)
    return Verdict.FITS, f"peak {peak} on a sequence of {point.row_tokens} tokens{slow}"


def _signs(
    point: TrialPoint,
    measurement: Measurement,
    budget: Budget,
    earlier: Sequence[TrialOutcome],
    conditions: Conditions,
) -> tuple[Spill, ...]:
    """The signs of a spill. A CPU has no second memory to spill to."""
    if not budget.on_card:
        return ()
    return spill_signs(point, measurement, earlier, budget.card_bytes, conditions)


def _again(point: TrialPoint, earlier: Sequence[TrialOutcome]) -> bool:
    """Whether the trial before was of the same point and seemed to spill as well."""
    last = earlier[-1] if earlier else None
    return last is not None and last.point == point and last.verdict is Verdict.SPILLED


def _thrashed(measurement: Measurement) -> bool:
    """Retries in two steps running; once is how an allocator warms up."""
    steps = measurement.step_retries
    if not steps:
        return measurement.allocator_retries >= 2
    return any(one > 0 and other > 0 for one, other in itertools.pairwise(steps))


def _refused_early(failed: Failed, budget: Budget) -> bool:
    """Whether the driver itself, not torch's allocator, refused memory far below the limit.

    The allocator also refuses early, at one request that is larger than all that is left: that is
    a matter of size, and its text is another ("CUDA out of memory. Tried to allocate ...").
    """
    return (
        failed.fault is Failure.OUT_OF_MEMORY
        and _meaning(failed) is Meaning.REFUSED
        and failed.memory_bytes is not None
        and failed.memory_bytes < FAR_BELOW_LIMIT_SHARE * budget.limit_bytes
    )


def _held(failed: Failed | None, limit: str) -> str:
    """What was held when memory ran out, where the worker could still say it."""
    if failed is None:
        return ""
    if _meaning(failed) is Meaning.COMPUTER or failed.message.startswith("MemoryError"):
        return ": the computer's memory, not a card's"
    if failed.memory_bytes is None:
        return ""
    return f" at {show_size(failed.memory_bytes)}, budget {limit}"


def _meaning(failed: Failed) -> Meaning | None:
    """What the worker's error says, by its text."""
    row = known(failed.message)
    return None if row is None else row.meaning
