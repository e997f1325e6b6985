"""A card's memory figures: believed where they can be true, unknown and said where not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.base.sizes import GIB, MIB
from autotune.device.memory_figures import (
    LARGEST_CARD,
    NOT_REPORTED_BYTES,
    card_memory,
    within_card,
)

TOTAL = 8188 * MIB


def test_figures_that_can_be_true_are_taken() -> None:
    found = card_memory(TOTAL, TOTAL - GIB, GIB)
    assert (found.total_bytes, found.free_bytes, found.used_bytes) == (TOTAL, TOTAL - GIB, GIB)
    assert found.doubt is None


@pytest.mark.parametrize(
    ("free", "used"),
    [
        (2**64 - 64 * MIB, TOTAL + 64 * MIB),
        (TOTAL, TOTAL + 1),
        (TOTAL + 1, 0),
        (2**63, 0),
        (NOT_REPORTED_BYTES - 1, GIB),
        (GIB, NOT_REPORTED_BYTES - 1),
    ],
)
def test_used_or_free_above_the_total_leaves_both_unknown_and_the_total_known(
    free: int, used: int
) -> None:
    found = card_memory(TOTAL, free, used)
    assert (found.total_bytes, found.free_bytes, found.used_bytes) == (TOTAL, None, None)
    assert found.doubt is not None
    assert found.doubt.startswith("the driver's figures cannot be true")
    assert "8188 MiB" in found.doubt


@pytest.mark.parametrize("total", [0, LARGEST_CARD + 1, 2**64 - 2])
def test_a_total_that_no_card_has_leaves_all_unknown(total: int) -> None:
    found = card_memory(total, 0, 0)
    assert (found.total_bytes, found.free_bytes, found.used_bytes) == (None, None, None)
    assert found.doubt is not None


def test_what_is_not_reported_is_unknown_without_a_word() -> None:
    found = card_memory(NOT_REPORTED_BYTES, NOT_REPORTED_BYTES, NOT_REPORTED_BYTES)
    assert (found.total_bytes, found.free_bytes, found.used_bytes) == (None, None, None)
    assert found.doubt is None


@given(*[st.integers(0, 2**64 - 1) | st.integers(0, 2 * TOTAL)] * 3)
def test_nothing_that_is_believed_is_above_the_card(total: int, free: int, used: int) -> None:
    found = card_memory(total, free, used)
    bound = found.total_bytes or LARGEST_CARD
    assert all(size <= bound for size in (found.free_bytes, found.used_bytes) if size is not None)


def test_a_process_holds_at_most_the_card() -> None:
    assert within_card(GIB, TOTAL) == GIB
    assert [within_card(size, TOTAL) for size in (None, NOT_REPORTED_BYTES, TOTAL + 1)] == [
        None
    ] * 3
    assert within_card(TOTAL + 1, None) == TOTAL + 1
