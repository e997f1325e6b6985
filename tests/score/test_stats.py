"""Wilson's interval."""

import pytest

from autotune.score.stats import wilson


@pytest.mark.parametrize(
    ("passes", "total", "low", "high"),
    [(25, 100, 0.175, 0.343), (135, 541, 0.215, 0.288), (0, 10, 0, 0.278), (10, 10, 0.722, 1)],
)
def test_known_intervals(passes: int, total: int, low: float, high: float) -> None:
    assert wilson(passes, total) == pytest.approx((low, high), abs=5e-4)


def test_the_interval_holds_the_share_and_stays_between_0_and_1() -> None:
    for total in range(1, 60):
        for passes in range(total + 1):
            low, high = wilson(passes, total)
            assert 0 <= low <= passes / total <= high <= 1


def test_nothing_observed_says_nothing() -> None:
    assert wilson(0, 0) == (0, 1)
