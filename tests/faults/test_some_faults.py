"""Whatever file operation goes wrong, a run goes on from there to the very same result."""

from collections.abc import Callable

import pytest

from tests.faults.cases import some_faults
from tests.faults.tries import FaultRunner, check, side_by_side

pytestmark = [pytest.mark.torch, pytest.mark.slow]

SOME = 36
"""Faults on every change: with the kills below about three minutes on two quiet cores."""

KILLED_RUNS, KILLS = 5, 3

SEED = 11


def test_a_run_whose_nth_file_operation_goes_wrong_ends_with_the_same_result(
    fault_runner: FaultRunner, say: Callable[[str], None]
) -> None:
    tried = fault_runner.try_all(some_faults(fault_runner.operations, SOME, SEED))
    assert sum(one.code is not None for one in tried) >= 0.9 * len(tried), "few were reached"
    check("N-th operation, some", tried, fault_runner, say)


def test_a_run_whose_best_weights_are_gone_has_the_next_best_or_trains_the_same_again(
    fault_runner: FaultRunner, say: Callable[[str], None]
) -> None:
    tried = [fault_runner.try_lost(SEED, others_too=others) for others in (False, True)]
    check("best weights gone, then killed", tried, fault_runner, say)


def test_a_run_killed_at_random_moments_ends_with_the_same_result(
    fault_runner: FaultRunner, say: Callable[[str], None]
) -> None:
    tried = side_by_side(lambda number: fault_runner.try_kills(number, KILLS), range(KILLED_RUNS))
    check(f"random kills, {KILLS} a run", tried, fault_runner, say)
