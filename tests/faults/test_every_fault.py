"""Every file operation of a toy run, gone wrong in every way. It takes hours."""

from collections.abc import Callable

import pytest

from tests.faults.cases import every_fault
from tests.faults.control import Kind, Role
from tests.faults.tries import FaultRunner, check, side_by_side

pytestmark = [pytest.mark.torch, pytest.mark.slow]

KILLED_RUNS, KILLS = 100, 4

KINDS = (Kind.KILL, Kind.TEAR, Kind.ENOSPC, Kind.EIO)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.name.lower())
def test_every_operation_going_wrong_changes_no_result(
    fault_runner: FaultRunner, say: Callable[[str], None], role: Role, kind: Kind
) -> None:
    faults = [f for f in every_fault(fault_runner.operations) if (f.role, f.kind) == (role, kind)]
    check("N-th operation, every", fault_runner.try_all(faults), fault_runner, say)


def test_a_hundred_runs_killed_at_random_moments_end_with_the_same_result(
    fault_runner: FaultRunner, say: Callable[[str], None]
) -> None:
    numbers = range(1000, 1000 + KILLED_RUNS)
    tried = side_by_side(lambda number: fault_runner.try_kills(number, KILLS), numbers)
    check(f"random kills, {KILLS} a run", tried, fault_runner, say)
