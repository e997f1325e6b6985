"""The kinds that are held out of practice: chosen by seed, frequent enough, not too many."""

import pytest

from autotune.base.errors import BadInput
from autotune.synth.held_out import held_out_kinds
from autotune.synth.kinds import PUBLIC_COUNTS, Ask


def test_a_seed_chooses_the_same_and_more_of_them_keep_what_fewer_chose() -> None:
    assert held_out_kinds(3, 3) == held_out_kinds(3, 3)
    assert set(held_out_kinds(3, 2)) < set(held_out_kinds(3, 3))
    assert len({held_out_kinds(seed, 3) for seed in range(20)}) > 10
    assert held_out_kinds(3, 0) == ()


def test_each_is_asked_for_often_enough_to_be_measured_and_most_is_practised() -> None:
    for seed in range(200):
        kinds = held_out_kinds(seed, 3)
        assert len(set(kinds)) == 3
        counts = [PUBLIC_COUNTS[Ask(kind)] for kind in kinds]
        assert min(counts) >= 20
        assert sum(counts) <= 0.25 * sum(PUBLIC_COUNTS.values())


@pytest.mark.parametrize("count", [-1, 12, 40])
def test_a_negative_number_or_too_many_are_refused(count: int) -> None:
    with pytest.raises(BadInput, match=rf"held_out_kinds {count}: must be .*; give 3, say"):
        held_out_kinds(0, count)
