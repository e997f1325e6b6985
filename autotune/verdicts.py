"""From how a trial ended and what it measured to a verdict with a reason in words."""

from autotune.budget import Budget, show_size
from autotune.outcome import Fault, Measurement, TrialOutcome, Verdict
from autotune.plan import TrialPoint
from autotune.trials import Ending, How

LEAST_STEPS = 3
"""Two steps hold Adam's state and accumulated gradients; one more follows the generation."""


def judge(
    point: TrialPoint, ending: Ending, measurement: Measurement | None, budget: Budget
) -> TrialOutcome:
    """The verdict on one trial. Nothing whose peak is above the budget is ever FITS."""
    verdict, reason = _verdict(point, ending, measurement, budget)
    return TrialOutcome(
        point=point,
        verdict=verdict,
        reason=reason,
        seconds=ending.seconds,
        measurement=measurement,
    )


def _verdict(
    point: TrialPoint, ending: Ending, measurement: Measurement | None, budget: Budget
) -> tuple[Verdict, str]:
    limit = show_size(budget.limit_bytes)
    match ending.how:
        case How.OVER_BUDGET:
            peak = show_size(ending.peak_bytes)
            return Verdict.OVER_BUDGET, f"stopped at {peak} in {ending.phase}, budget {limit}"
        case How.OUT_OF_MEMORY:
            return Verdict.OUT_OF_MEMORY, f"out of memory in {ending.phase}"
        case How.TIMED_OUT:
            return Verdict.TIMED_OUT, ending.reason
        case How.CRASHED if ending.failed and ending.failed.fault is Fault.SUSPECTED:
            return Verdict.OUT_OF_MEMORY, f"probably out of memory: {ending.reason}"
        case How.CRASHED | How.BAD_JOB:
            return Verdict.CRASHED, ending.reason
        case _:
            pass
    if measurement is None:
        return Verdict.CRASHED, "ended without a measurement"
    if not measurement.finite:
        return Verdict.NUMERIC, "the loss or the gradients are not finite"
    if measurement.steps < LEAST_STEPS:
        return Verdict.CRASHED, f"ran {measurement.steps} of {LEAST_STEPS} optimizer steps"
    peak = show_size(measurement.peak_bytes)
    if measurement.peak_bytes > budget.limit_bytes:
        return Verdict.OVER_BUDGET, f"peak {peak} is above the budget of {limit}"
    if measurement.allocator_retries >= 2:
        return (
            Verdict.THRASHED,
            f"the allocator had to retry {measurement.allocator_retries} times",
        )
    return Verdict.FITS, f"peak {peak} on a row of {point.row_tokens} tokens"
