"""Signs that a card spilled, which of them are enough, and what is none of them."""

import pytest

from autotune.base.sizes import GIB, MIB
from autotune.device.spill import (
    FULL_CARD_SHARE,
    SHARED_BYTES,
    SLOWDOWN_FACTOR,
    THROTTLED_SLOWDOWN_FACTOR,
    Conditions,
    Sign,
    above_reach,
    card_full,
    driver_lends,
    has_spilled,
    in_doubt,
    shared_growth,
    speed_cliff,
    spill_signs,
)
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Measurement, TrialOutcome, Verdict
from tests import setups

LENDS, NATIVE = Conditions(lends=True), Conditions(lends=False)


def point(row: int, *, checkpointing: bool = False, packing: bool = False) -> TrialPoint:
    return TrialPoint(
        model_max_length=row,
        max_rounds="all",
        micro_batch_tokens=row,
        gradient_checkpointing=checkpointing,
        packing=packing,
        row_tokens=row,
    )


def measured(tokens: int, seconds: float, **changes: object) -> Measurement:
    """A trial whose first step took ten times as long as the others."""
    times = (10 * seconds, seconds, 1.1 * seconds)
    return setups.measurement(GIB, tokens, step_seconds=times, **changes)


def tried(
    row: int,
    seconds: float,
    verdict: Verdict = Verdict.FITS,
    *,
    checkpointing: bool = False,
    packing: bool = False,
) -> TrialOutcome:
    """An earlier trial of two micro-batches of one row."""
    return TrialOutcome(
        point=point(row, checkpointing=checkpointing, packing=packing),
        verdict=verdict,
        reason="",
        seconds=1.0,
        measurement=measured(2 * row, seconds),
    )


EARLIER = [tried(256, 0.35), tried(512, 0.6)]
"""On the line 0.1 s + tokens / 2048."""


def cliff(row: int, seconds: float, earlier: list[TrialOutcome]) -> float | None:
    """Seconds that a step should have taken, None where it is no cliff."""
    found = speed_cliff(point(row), measured(2 * row, seconds), earlier)
    return None if found is None else found.expected


def test_a_step_far_above_the_line_is_a_cliff_with_both_speeds() -> None:
    found = speed_cliff(point(1024), measured(2048, 300.0), EARLIER)
    assert found is not None
    assert found.sign is Sign.SPEED
    assert (found.measured, found.expected) == (300.0, pytest.approx(1.1))
    assert found.reason == "1.1 s a step expected, 300 s measured"


def test_two_and_a_half_times_the_line_is_the_edge() -> None:
    edge = SLOWDOWN_FACTOR * 1.1
    assert cliff(1024, 0.99 * edge, EARLIER) is None
    assert cliff(1024, 1.01 * edge, EARLIER) == pytest.approx(1.1)


def test_attention_that_grows_with_the_square_of_a_row_is_no_cliff() -> None:
    # Eight times the row: 64 times the seconds, if all of it were attention.
    assert cliff(4096, 60 * 0.6, EARLIER) is None
    assert cliff(4096, 70 * 0.6, EARLIER) is not None


def test_a_first_step_that_warms_up_is_no_cliff() -> None:
    slow_start = setups.measurement(GIB, 2048, step_seconds=(300.0, 1.1, 1.2))
    assert speed_cliff(point(1024), slow_start, EARLIER) is None
    only_start = setups.measurement(GIB, 2048, step_seconds=(300.0,))
    assert speed_cliff(point(1024), only_start, EARLIER) is None


@pytest.mark.parametrize(
    "earlier",
    [
        [],
        [tried(256, 0.35)],
        [tried(256, 0.35), tried(512, 0.6, Verdict.OVER_BUDGET)],
        [tried(256, 0.35), tried(512, 0.6, checkpointing=True)],
        [tried(256, 0.35), tried(512, 0.6, packing=True)],
        [tried(256, 0.35), tried(1024, 1.1)],
        [tried(1536, 1.6), tried(2048, 2.1)],
    ],
    ids=["none", "one", "one fits", "other checkpointing", "packed", "as large", "larger"],
)
def test_without_two_smaller_trials_of_its_kind_nothing_is_expected(
    earlier: list[TrialOutcome],
) -> None:
    assert cliff(1024, 300.0, earlier) is None


def test_noise_that_lets_the_line_fall_expects_no_less_than_the_slowest() -> None:
    assert cliff(1024, 300.0, [tried(256, 0.9), tried(512, 0.5)]) == pytest.approx(0.9)
    assert cliff(1024, 300.0, [tried(512, 0.5), tried(512, 0.7)]) == pytest.approx(0.7)


def test_more_in_use_than_the_card_has_is_above_reach() -> None:
    ours = above_reach(setups.measurement(9 * GIB), 8 * GIB)
    everybodys = above_reach(setups.measurement(6 * GIB, device_bytes=9 * GIB), 8 * GIB)
    assert ours is not None and everybodys is not None
    assert ours.sign is everybodys.sign is Sign.REACH
    assert ours.reason == "9.00 GiB in use on a card of 8.00 GiB"
    assert (everybodys.measured, everybodys.expected) == (9 * GIB, 8 * GIB)
    assert above_reach(setups.measurement(8 * GIB, device_bytes=8 * GIB), 8 * GIB) is None
    assert above_reach(setups.measurement(9 * GIB), None) is None


def test_shared_memory_beyond_buffers_is_a_sign_and_unknown_is_none() -> None:
    found = shared_growth(setups.measurement(GIB, shared_bytes=SHARED_BYTES + MIB))
    assert found is not None
    assert found.sign is Sign.SHARED
    assert "257 MiB" in found.reason
    assert shared_growth(setups.measurement(GIB, shared_bytes=SHARED_BYTES)) is None
    assert shared_growth(setups.measurement(GIB)) is None


def test_all_signs_are_reported_and_a_sound_trial_gives_none() -> None:
    bad = measured(2048, 300.0, device_bytes=9 * GIB, shared_bytes=GIB)
    signs = spill_signs(point(1024), bad, EARLIER, 8 * GIB, LENDS)
    assert {s.sign for s in signs} == set(Sign)
    assert spill_signs(point(1024), measured(2048, 1.2), EARLIER, 8 * GIB, LENDS) == ()


def signs_of(
    seconds: float, conditions: Conditions, earlier: list[TrialOutcome] = EARLIER, **memory: int
) -> set[Sign]:
    """The signs of a trial of 2048 tokens on a card of 8 GiB; 1.1 s a step are expected."""
    trial = measured(2048, seconds, **memory)
    return {s.sign for s in spill_signs(point(1024), trial, earlier, 8 * GIB, conditions)}


@pytest.mark.parametrize(
    ("system", "release", "lends"),
    [
        ("win32", "10", True),
        ("linux", "5.15.153.1-microsoft-standard-WSL2", True),
        ("linux", "4.4.0-19041-Microsoft", True),
        ("linux", "6.8.0-45-generic", False),
        ("darwin", "23.6.0", False),
    ],
)
def test_only_windows_and_wsl_lend_the_computers_memory(
    system: str, release: str, lends: bool
) -> None:
    assert driver_lends(system, release) is lends


def test_native_linux_has_no_sign_of_speed() -> None:
    full = {"device_bytes": 8 * GIB}
    assert signs_of(300.0, NATIVE, **full) == set()
    assert signs_of(300.0, LENDS, **full) == {Sign.SPEED, Sign.FULL}


def test_a_slow_step_alone_has_not_spilled_and_on_a_full_card_it_is_in_doubt() -> None:
    slow = measured(2048, 300.0)
    full = measured(2048, 300.0, device_bytes=int(FULL_CARD_SHARE * 8 * GIB) + 1)
    lent = measured(2048, 300.0, shared_bytes=GIB)

    def judged(trial: Measurement) -> tuple[bool, bool]:
        signs = spill_signs(point(1024), trial, EARLIER, 8 * GIB, LENDS)
        return has_spilled(signs), in_doubt(signs)

    assert judged(slow) == (False, False)
    assert judged(full) == (True, True)
    assert judged(lent) == (True, False)


def test_a_full_card_that_is_not_slow_is_no_sign() -> None:
    assert signs_of(1.2, LENDS, device_bytes=8 * GIB) == set()


def test_a_card_is_full_at_ninety_seven_percent() -> None:
    assert (
        card_full(measured(2, 1.0, device_bytes=int(FULL_CARD_SHARE * 8 * GIB) - 1), 8 * GIB)
        is None
    )
    found = card_full(measured(2, 1.0, device_bytes=int(FULL_CARD_SHARE * 8 * GIB) + 1), 8 * GIB)
    assert found is not None
    assert found.reason == "7.76 GiB of 8.00 GiB in use"
    assert card_full(measured(2, 1.0), 8 * GIB) is None
    assert card_full(measured(2, 1.0, device_bytes=8 * GIB), None) is None


@pytest.mark.parametrize("why", ["temperature", "on battery"])
def test_a_clock_that_is_held_down_explains_a_slow_step_as_far_as_a_clock_can(why: str) -> None:
    held = Conditions(lends=True, throttled_by=(why,))
    full = {"device_bytes": 8 * GIB}
    assert signs_of(1.1 * 0.99 * THROTTLED_SLOWDOWN_FACTOR, held, **full) == set()
    assert signs_of(1.1 * 1.01 * THROTTLED_SLOWDOWN_FACTOR, held, **full) == {Sign.SPEED, Sign.FULL}
    assert signs_of(1.1 * 0.99 * THROTTLED_SLOWDOWN_FACTOR, LENDS, **full) == {
        Sign.SPEED,
        Sign.FULL,
    }
