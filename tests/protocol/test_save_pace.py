"""How often a training saves what it can be resumed from."""

import pytest

from autotune.protocol.save_pace import MOST_UNSAVED_SECONDS, SavePace

STEP = 5.0


def played(hours: float, cost: float, share: float = 0.02) -> tuple[float, float, int]:
    """Share of the time spent on saves, longest time without one, saves; a save takes `cost`."""
    pace = SavePace(0.0, every=60.0, share=share, expected_bytes=1_600_000_000)
    now = last = longest = 0.0
    saves = 0
    while now < hours * 3600:
        now += STEP
        if pace.is_due(now):
            longest = max(longest, now - last)
            pace.saved(now, now + cost, resumable=True)
            now += cost
            last, saves = now, saves + 1
    return pace.spent / now, longest, saves


@pytest.mark.parametrize("hours", [0.1, 0.3, 1, 3])
@pytest.mark.parametrize("cost", [0.01, 6.3, 18.0, 23.0])
def test_saving_takes_at_most_a_fiftieth_of_the_time_and_little_is_ever_lost(
    hours: float, cost: float
) -> None:
    share, longest, _ = played(hours, cost)
    assert share <= 0.022  # the first save of all is taken for what it is expected to cost
    assert longest <= MOST_UNSAVED_SECONDS + STEP


def test_what_costs_little_is_saved_as_often_as_was_asked_for() -> None:
    share, longest, saves = played(1, 0.01)
    assert saves > 40
    assert longest < 450  # until it was measured
    assert share < 0.001


def test_a_slow_disk_gets_a_save_every_twenty_minutes_all_the_same() -> None:
    _, longest, saves = played(3, 200.0)
    assert saves >= 6
    assert longest <= MOST_UNSAVED_SECONDS + STEP


def test_checkpoints_to_score_are_paid_out_of_the_same_share() -> None:
    pace = SavePace(0.0, every=60.0, share=0.02, expected_bytes=0)
    pace.saved(100.0, 120.0, resumable=False)
    assert not pace.is_due(900.0)
    assert pace.is_due(1001.0)


def test_with_a_share_of_all_every_step_may_be_saved() -> None:
    assert played(0.1, 5.0, share=1.0)[2] == 5
    assert played(0.1, 200.0, share=1.0)[2] == 2
