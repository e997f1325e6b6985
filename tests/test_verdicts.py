"""How a trial ended and what it measured, as a verdict with a reason a person can read."""

import pytest

from autotune.budget import GIB, MIB, Budget
from autotune.outcome import Fault, Measurement, Verdict
from autotune.plan import TrialPoint
from autotune.trials import Ending, How
from autotune.verdicts import judge
from tests import setups

BUDGET = Budget(total_bytes=8 * GIB, reserve_bytes=GIB, source="test")
POINT = TrialPoint(
    model_max_length=512,
    max_rounds="all",
    micro_batch_tokens=512,
    gradient_checkpointing=False,
    row_tokens=500,
)
FITS = setups.measurement(6 * GIB)


def changed(**changes: object) -> Measurement:
    """A measurement that fits but for these values."""
    return setups.measurement(6 * GIB, **changes)


def ended(how: How, reason: str = "") -> Ending:
    return Ending(how, reason, 2.0, "backward", None, 9 * GIB)


@pytest.mark.parametrize(
    ("ending", "measured", "verdict", "reason"),
    [
        (setups.done(), FITS, Verdict.FITS, "peak 6.00 GiB on a row of 500 tokens"),
        (
            setups.done(),
            setups.measurement(21 * GIB),
            Verdict.OVER_BUDGET,
            "peak 21.00 GiB is above the budget of 7.00 GiB",
        ),
        (
            ended(How.OVER_BUDGET),
            None,
            Verdict.OVER_BUDGET,
            "stopped at 9.00 GiB in backward, budget 7.00 GiB",
        ),
        (
            setups.failed(Fault.OUT_OF_MEMORY, "CUDA out of memory"),
            None,
            Verdict.OUT_OF_MEMORY,
            "out of memory in backward",
        ),
        (
            setups.failed(Fault.SUSPECTED, "CUBLAS_STATUS_NOT_INITIALIZED"),
            None,
            Verdict.OUT_OF_MEMORY,
            "probably out of memory: CUBLAS_STATUS_NOT_INITIALIZED",
        ),
        (
            setups.done(),
            changed(allocator_retries=3),
            Verdict.THRASHED,
            "the allocator had to retry 3 times",
        ),
        (
            setups.done(),
            changed(finite=False),
            Verdict.NUMERIC,
            "the loss or the gradients are not finite",
        ),
        (
            ended(How.TIMED_OUT, "no sign of life for 60 s in backward"),
            None,
            Verdict.TIMED_OUT,
            "no sign of life for 60 s in backward",
        ),
        (
            setups.failed(Fault.POISONED, "an illegal memory access was encountered"),
            None,
            Verdict.CRASHED,
            "an illegal memory access was encountered",
        ),
        (setups.done(), None, Verdict.CRASHED, "ended without a measurement"),
        (setups.done(), changed(steps=0), Verdict.CRASHED, "ran 0 of 3 optimizer steps"),
    ],
)
def test_an_end_has_a_verdict_and_a_reason(
    ending: Ending, measured: Measurement | None, verdict: Verdict, reason: str
) -> None:
    outcome = judge(POINT, ending, measured, BUDGET)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert outcome.seconds == ending.seconds
    assert outcome.point == POINT


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_fewer_steps_than_hold_all_of_adams_state_are_no_trial(steps: int) -> None:
    outcome = judge(POINT, setups.done(), changed(steps=steps), BUDGET)
    assert outcome.verdict is not Verdict.FITS


def test_the_budget_itself_fits_and_one_byte_more_does_not() -> None:
    def verdict(peak_bytes: int) -> Verdict:
        return judge(POINT, setups.done(), setups.measurement(peak_bytes), BUDGET).verdict

    assert verdict(BUDGET.limit_bytes) is Verdict.FITS
    assert verdict(BUDGET.limit_bytes + 1) is Verdict.OVER_BUDGET


@pytest.mark.parametrize("how", [how for how in How if how is not How.DONE])
def test_a_measurement_does_not_excuse_a_bad_end(how: How) -> None:
    outcome = judge(POINT, ended(how, "reason"), setups.measurement(MIB), BUDGET)
    assert outcome.verdict is not Verdict.FITS
