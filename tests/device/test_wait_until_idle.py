"""The wait for a card at rest, on a card that is played."""

from collections.abc import Sequence

from autotune.base.sizes import MIB
from autotune.device.nvml_port import CardState
from autotune.device.wait_until_idle import wait_until_idle
from tests.fakes.nvml import FakeNvml


def waited(used: Sequence[int | None]) -> tuple[str | None, int]:
    """What a card with this memory in use, look after look, makes of the wait; and the sleeps."""
    looks = iter([*used, *[used[-1]] * 100])
    sleeps: list[float] = []

    class Card(FakeNvml):
        def state(self, index: int) -> CardState:
            return CardState(next(looks), None, None, None, None)

    return wait_until_idle(Card(()), 0, sleeps.append), len(sleeps)


def test_a_card_at_rest_is_looked_at_twice() -> None:
    assert waited([500 * MIB]) == (None, 1)


def test_memory_that_a_process_is_giving_back_is_waited_for() -> None:
    assert waited([4000 * MIB, 2000 * MIB, 700 * MIB, 500 * MIB, 500 * MIB]) == (None, 4)


def test_a_card_that_does_not_tell_is_not_waited_for() -> None:
    assert waited([None]) == (None, 0)


def test_another_program_at_work_is_reported_after_a_few_seconds() -> None:
    told, sleeps = waited([n * 100 * MIB for n in range(60)])
    assert sleeps == 25
    assert told is not None
    assert "another program is working on it" in told
