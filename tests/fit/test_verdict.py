"""How a trial ended and what it measured, as a verdict with a reason a person can read."""

from dataclasses import replace

import pytest

from autotune.base.sizes import GIB, MIB
from autotune.device.budget import Budget
from autotune.device.spill import Conditions
from autotune.fit.verdict import FOR_MEMORY, judge, perhaps_spilled, remedy, suspected
from autotune.launch import JobResult
from autotune.protocol.choices import Precision
from autotune.protocol.failure import Failure
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Measurement, TrialOutcome, Verdict
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


def ended(failure: Failure, reason: str = "") -> JobResult:
    return JobResult(failure, reason, 2.0, "backward", None, 9 * GIB)


@pytest.mark.parametrize(
    ("ending", "measured", "verdict", "reason"),
    [
        (setups.done(), FITS, Verdict.FITS, "peak 6.00 GiB on a sequence of 500 tokens"),
        (
            setups.done(),
            setups.measurement(21 * GIB),
            Verdict.OVER_BUDGET,
            "peak 21.00 GiB is above the budget of 7.00 GiB",
        ),
        (
            setups.done(),
            setups.measurement(7 * GIB + 2 * MIB),
            Verdict.OVER_BUDGET,
            "peak 7170 MiB is above the budget of 7168 MiB",
        ),
        (
            ended(Failure.OVER_BUDGET),
            None,
            Verdict.OVER_BUDGET,
            "stopped at 9.00 GiB in backward, budget 7.00 GiB",
        ),
        (
            setups.failed(Failure.OUT_OF_MEMORY, "CUDA out of memory"),
            None,
            Verdict.OUT_OF_MEMORY,
            "out of memory in backward",
        ),
        (
            setups.failed(Failure.SUSPECTED, "CUBLAS_STATUS_NOT_INITIALIZED"),
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
            setups.failed(Failure.NUMERIC, "fp16 gradients overflow at every scale in step 2"),
            None,
            Verdict.NUMERIC,
            "fp16 gradients overflow at every scale in step 2",
        ),
        (
            ended(Failure.TIMED_OUT, "no sign of life for 60 s in backward"),
            None,
            Verdict.TIMED_OUT,
            "no sign of life for 60 s in backward",
        ),
        (
            setups.failed(Failure.POISONED, "an illegal memory access was encountered"),
            None,
            Verdict.CRASHED,
            "an illegal memory access was encountered",
        ),
        (setups.done(), None, Verdict.CRASHED, "ended without a measurement"),
        (setups.done(), changed(steps=0), Verdict.CRASHED, "ran 0 of 3 optimizer steps"),
    ],
)
def test_an_end_has_a_verdict_and_a_reason(
    ending: JobResult, measured: Measurement | None, verdict: Verdict, reason: str
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


@pytest.mark.parametrize("failure", Failure)
def test_a_measurement_does_not_excuse_a_bad_end(failure: Failure) -> None:
    outcome = judge(POINT, ended(failure, "reason"), setups.measurement(MIB), BUDGET)
    assert outcome.verdict is not Verdict.FITS


def outcome_of(measured: Measurement, budget: Budget = CARD) -> TrialOutcome:
    return judge(POINT, setups.done(), measured, budget)


def smaller(tokens: int, seconds: float) -> TrialOutcome:
    """An earlier trial that fits."""
    measured = setups.measurement(GIB, tokens, step_seconds=(2 * seconds, seconds, seconds))
    return judge(POINT.model_copy(update={"row_tokens": tokens}), setups.done(), measured, CARD)


LENDS = Conditions(lends=True)
SMALLER = [smaller(100, 0.2), smaller(200, 0.4)]
SLOW = setups.measurement(6 * GIB, 500, step_seconds=(280.0, 300.0, 310.0))
SLOW_AND_FULL = SLOW.model_copy(update={"device_bytes": 8 * GIB - 100 * MIB})


def test_a_step_of_300_seconds_where_one_was_expected_is_spilled_with_both_speeds() -> None:
    outcome = judge(POINT, setups.done(), SLOW_AND_FULL, CARD, SMALLER, LENDS)
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
    outcome = judge(POINT, setups.done(), SLOW_AND_FULL, BUDGET, SMALLER, LENDS)
    assert outcome.verdict is Verdict.FITS


def test_a_slow_step_alone_fits_and_says_that_it_is_not_for_memory() -> None:
    outcome = judge(POINT, setups.done(), SLOW, CARD, SMALLER, LENDS)
    assert outcome.verdict is Verdict.FITS
    assert "slow, and not for memory: 1.0 s a step expected, 300 s measured" in outcome.reason


def test_on_native_linux_a_slow_step_on_a_full_card_fits() -> None:
    native = Conditions(lends=False)
    outcome = judge(POINT, setups.done(), SLOW_AND_FULL, CARD, SMALLER, native)
    assert (outcome.verdict, outcome.reason) == (
        Verdict.FITS,
        "peak 6.00 GiB on a sequence of 500 tokens",
    )


def test_a_card_that_was_held_down_fits_and_the_reason_names_what_held_it() -> None:
    held = Conditions(lends=True, throttled_by=("temperature", "on battery"))
    slow = SLOW_AND_FULL.model_copy(update={"step_seconds": (9.0, 9.0, 9.0)})
    outcome = judge(POINT, setups.done(), slow, CARD, SMALLER, held)
    assert outcome.verdict is Verdict.FITS
    assert "the card was throttled (temperature, on battery)" in outcome.reason


def test_a_slow_step_on_a_full_card_is_certain_only_the_second_time() -> None:
    first = judge(POINT, setups.done(), SLOW_AND_FULL, CARD, SMALLER, LENDS)
    assert "the card is perhaps over-full" in first.reason
    assert perhaps_spilled(first, CARD, SMALLER, LENDS)
    again = judge(POINT, setups.done(), SLOW_AND_FULL, CARD, [*SMALLER, first], LENDS)
    assert again.verdict is Verdict.SPILLED
    assert "the card is over-full" in again.reason
    lent = SLOW.model_copy(update={"shared_bytes": GIB})
    proved = judge(POINT, setups.done(), lent, CARD, SMALLER, LENDS)
    assert not perhaps_spilled(proved, CARD, SMALLER, LENDS)


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.FITS])
def test_only_a_lack_of_memory_is_answered_with_closing_other_programs(verdict: Verdict) -> None:
    told = remedy(verdict, Precision.FP16)
    assert ("close what else uses" in told) is (verdict in FOR_MEMORY)


def test_numbers_that_are_not_finite_call_for_another_precision() -> None:
    assert remedy(Verdict.NUMERIC, Precision.FP16).endswith("give --precision bf16 or fp32")
    assert "fp16 or fp32" in remedy(Verdict.NUMERIC, Precision.BF16)


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


def refused(text: str, held: int | None) -> JobResult:
    """A worker that ran out of memory and said what it held."""
    ending = setups.failed(Failure.OUT_OF_MEMORY, text)
    assert ending.failed is not None
    failed = ending.failed.model_copy(update={"memory_bytes": held})
    return replace(ending, failed=failed)


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


@pytest.mark.parametrize(
    "text",
    [
        "RuntimeError: CUDA driver error: out of memory",
        "RuntimeError: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
        "RuntimeError: Triton Error [CUDA]: out of memory",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_the_drivers_wording_counts_where_the_runtimes_does(text: str) -> None:
    assert suspected(refused(text, 3 * GIB), CARD)
    assert not suspected(refused(text, 7 * GIB - 50 * MIB), CARD)


@pytest.mark.parametrize(
    "text",
    [
        "OSError: [WinError 1455] The paging file is too small for this operation to complete.",
        "RuntimeError: unable to mmap 280 bytes from file <x>: Cannot allocate memory (12)",
        "RuntimeError: std::bad_alloc",
    ],
)
def test_beside_a_card_the_computers_memory_is_called_that_and_says_nothing_of_size(
    text: str,
) -> None:
    ending = setups.failed(Failure.HOST_MEMORY, text)
    assert not suspected(ending, CARD)
    outcome = judge(POINT, ending, None, CARD)
    assert outcome.verdict is Verdict.CRASHED
    assert text in outcome.reason
    assert "the computer's memory is full, not the card's" in outcome.reason
    assert "page file" in outcome.reason


@pytest.mark.parametrize("text", ["CUBLAS_STATUS_NOT_INITIALIZED", "unable to find an engine"])
def test_an_error_that_may_be_for_memory_is_suspected(text: str) -> None:
    ending = setups.failed(Failure.SUSPECTED, text)
    assert suspected(ending, CARD)


@pytest.mark.parametrize(
    "text", ["an illegal memory access was encountered", "device-side assert triggered"]
)
def test_a_broken_device_has_crashed_and_is_never_called_too_small(text: str) -> None:
    ending = setups.failed(Failure.POISONED, f"CUDA error: {text}")
    assert not suspected(ending, CARD)
    outcome = judge(POINT, ending, None, CARD)
    assert outcome.verdict is Verdict.CRASHED
    assert text in outcome.reason


def test_a_launch_that_timed_out_is_explained_as_the_display_watchdog() -> None:
    text = "CUDA error: the launch timed out and was terminated"
    outcome = judge(POINT, setups.failed(Failure.POISONED, text), None, CARD)
    assert outcome.verdict is Verdict.CRASHED
    assert text in outcome.reason
    assert "display watchdog" in outcome.reason


def test_a_worker_that_was_killed_is_not_suspected() -> None:
    assert not suspected(setups.crashed(), CARD)


def test_every_verdict_can_be_reached() -> None:
    found = {
        outcome_of(FITS).verdict,
        outcome_of(setups.measurement(8 * GIB)).verdict,
        judge(POINT, refused(ALLOCATOR, None), None, CARD).verdict,
        judge(POINT, setups.done(), SLOW_AND_FULL, CARD, SMALLER, LENDS).verdict,
        outcome_of(changed(step_retries=(1, 1, 1))).verdict,
        outcome_of(changed(finite=False)).verdict,
        judge(POINT, ended(Failure.TIMED_OUT, "no sign of life"), None, CARD).verdict,
        judge(POINT, setups.crashed(), None, CARD).verdict,
    }
    assert found == set(Verdict)
