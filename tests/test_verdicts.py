"""How a trial ended and what it measured, as a verdict with a reason a person can read."""

from dataclasses import replace

import pytest

from autotune.budget import GIB, MIB, Budget
from autotune.outcome import Fault, Measurement, TrialOutcome, Verdict
from autotune.plan import TrialPoint
from autotune.trials import Ending, How
from autotune.verdicts import judge, poisoned, suspected
from tests import setups

BUDGET = Budget(total_bytes=8 * GIB, reserve_bytes=GIB, source="test")
CARD = BUDGET.model_copy(update={"on_card": True, "card_bytes": 8 * GIB})
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
            "the allocator had to flush its cache 3 times",
        ),
        (
            setups.done(),
            changed(allocator_retries=4, step_retries=(0, 3, 1)),
            Verdict.THRASHED,
            "the allocator had to flush its cache 4 times in two steps running, so every step"
            " would wait",
        ),
        (
            setups.done(),
            changed(finite=False),
            Verdict.NUMERIC,
            "the loss or the gradients are not finite",
        ),
        (
            setups.failed(Fault.NUMERIC, "fp16 gradients overflow at every scale in step 2"),
            None,
            Verdict.NUMERIC,
            "fp16 gradients overflow at every scale in step 2",
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


def outcome_of(measured: Measurement, budget: Budget = CARD) -> TrialOutcome:
    return judge(POINT, setups.done(), measured, budget)


def smaller(tokens: int, seconds: float) -> TrialOutcome:
    """An earlier trial that fits."""
    measured = setups.measurement(GIB, tokens, step_seconds=(2 * seconds, seconds, seconds))
    return judge(POINT.model_copy(update={"row_tokens": tokens}), setups.done(), measured, CARD)


def test_a_step_of_300_seconds_where_one_was_expected_is_spilled_with_both_speeds() -> None:
    slow = setups.measurement(6 * GIB, 500, step_seconds=(280.0, 300.0, 310.0))
    earlier = [smaller(100, 0.2), smaller(200, 0.4)]
    outcome = judge(POINT, setups.done(), slow, CARD, earlier)
    assert outcome.verdict is Verdict.SPILLED
    assert "1.0 s a step expected, 300 s measured" in outcome.reason
    assert "CUDA - Sysmem Fallback Policy" in outcome.reason
    assert "Prefer No Sysmem Fallback" in outcome.reason
    assert "under WSL the policy is set on the Windows side" in outcome.reason


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"device_bytes": 9 * GIB}, "9.00 GiB in use on a card of 8.00 GiB"),
        ({"shared_bytes": 2 * GIB}, "2.00 GiB of the card's memory lie in the computer's memory"),
    ],
)
def test_each_other_sign_alone_is_spilled(change: dict[str, int], told: str) -> None:
    outcome = outcome_of(changed(**change))
    assert outcome.verdict is Verdict.SPILLED
    assert told in outcome.reason


def test_three_times_the_card_that_raises_nothing_is_over_budget_and_the_switch_is_named() -> None:
    outcome = outcome_of(setups.measurement(24 * GIB))
    assert outcome.verdict is Verdict.OVER_BUDGET
    assert "peak 24.00 GiB is above the budget of 7.00 GiB" in outcome.reason
    assert "Sysmem Fallback" in outcome.reason


def test_a_slow_cpu_has_spilled_to_nowhere() -> None:
    slow = setups.measurement(6 * GIB, 500, step_seconds=(280.0, 300.0, 310.0))
    earlier = [smaller(100, 0.2), smaller(200, 0.4)]
    assert judge(POINT, setups.done(), slow, BUDGET, earlier).verdict is Verdict.FITS


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ((0, 2, 1), Verdict.THRASHED),
        ((4, 1, 0), Verdict.THRASHED),
        ((5, 0, 0), Verdict.FITS),
        ((3, 0, 3), Verdict.FITS),
        ((0, 0, 0), Verdict.FITS),
    ],
)
def test_retries_in_two_steps_running_are_thrashing_and_in_one_are_not(
    steps: tuple[int, ...], verdict: Verdict
) -> None:
    outcome = outcome_of(changed(step_retries=steps, allocator_retries=sum(steps)))
    assert outcome.verdict is verdict


def refused(text: str, held: int | None, how: How = How.OUT_OF_MEMORY) -> Ending:
    """A worker that ran out of memory and said what it held."""
    ending = setups.failed(Fault.OUT_OF_MEMORY, text)
    assert ending.failed is not None
    failed = ending.failed.model_copy(update={"memory_bytes": held})
    return replace(ending, how=how, failed=failed)


DRIVER = "AcceleratorError: CUDA error: out of memory"
ALLOCATOR = "OutOfMemoryError: CUDA out of memory. Tried to allocate 9.00 GiB"


def test_memory_refused_at_half_the_card_is_suspected_and_told_apart_from_a_full_card() -> None:
    early, full = refused(DRIVER, 3 * GIB), refused(DRIVER, 7 * GIB - 50 * MIB)
    assert suspected(early, CARD)
    assert not suspected(full, CARD)
    first = judge(POINT, early, None, CARD)
    assert first.verdict is Verdict.OUT_OF_MEMORY
    assert "at only 3.00 GiB of 7.00 GiB" in first.reason
    assert "pinned" in first.reason and "another program" in first.reason
    second = judge(POINT, full, None, CARD)
    assert second.verdict is Verdict.OUT_OF_MEMORY
    assert second.reason == "out of memory in backward at 6.95 GiB, budget 7.00 GiB"


@pytest.mark.parametrize(
    ("text", "held"), [(ALLOCATOR, 2 * GIB), (DRIVER, None)], ids=["one large request", "untold"]
)
def test_what_our_own_size_explains_is_not_suspected(text: str, held: int | None) -> None:
    ending = refused(text, held)
    assert not suspected(ending, CARD)
    assert judge(POINT, ending, None, CARD).reason.startswith("out of memory in backward")


def test_the_computers_memory_is_told_apart_from_the_cards() -> None:
    text = "RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"
    outcome = judge(POINT, refused(text, GIB), None, CARD)
    assert outcome.reason == "out of memory in backward: the computer's memory, not a card's"


@pytest.mark.parametrize("text", ["CUBLAS_STATUS_NOT_INITIALIZED", "unable to find an engine"])
def test_an_error_that_may_be_for_memory_is_suspected(text: str) -> None:
    ending = setups.failed(Fault.SUSPECTED, text)
    assert suspected(ending, CARD)
    assert not poisoned(ending)


@pytest.mark.parametrize(
    "text", ["an illegal memory access was encountered", "device-side assert triggered"]
)
def test_a_broken_device_is_poisoned_and_never_too_big(text: str) -> None:
    ending = setups.failed(Fault.POISONED, f"CUDA error: {text}")
    assert poisoned(ending)
    assert not suspected(ending, CARD)
    outcome = judge(POINT, ending, None, CARD)
    assert outcome.verdict is Verdict.CRASHED
    assert text in outcome.reason


def test_a_launch_that_timed_out_is_explained_as_the_display_watchdog() -> None:
    text = "CUDA error: the launch timed out and was terminated"
    outcome = judge(POINT, setups.failed(Fault.POISONED, text), None, CARD)
    assert outcome.verdict is Verdict.CRASHED
    assert text in outcome.reason
    assert "display watchdog" in outcome.reason


def test_a_worker_that_was_killed_is_neither_suspected_nor_poisoned() -> None:
    assert not suspected(setups.crashed(), CARD)
    assert not poisoned(setups.crashed())


def test_every_verdict_can_be_reached() -> None:
    slow = [smaller(100, 0.2), smaller(200, 0.4)]
    found = {
        outcome_of(FITS).verdict,
        outcome_of(setups.measurement(8 * GIB)).verdict,
        judge(POINT, refused(ALLOCATOR, None), None, CARD).verdict,
        judge(
            POINT,
            setups.done(),
            setups.measurement(6 * GIB, 500, step_seconds=(9.0, 9.0, 9.0)),
            CARD,
            slow,
        ).verdict,
        outcome_of(changed(step_retries=(1, 1, 1))).verdict,
        outcome_of(changed(finite=False)).verdict,
        judge(POINT, ended(How.TIMED_OUT, "no sign of life"), None, CARD).verdict,
        judge(POINT, setups.crashed(), None, CARD).verdict,
    }
    assert found == set(Verdict)
