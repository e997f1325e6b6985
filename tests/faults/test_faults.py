"""Whatever file operation goes wrong, a run goes on from there to the very same result."""

import pytest

from tests.faults.cases import every_fault, some_faults
from tests.faults.tries import Bench, Tried, counted, side_by_side

pytestmark = [pytest.mark.torch, pytest.mark.slow]

SOME = 44
"""Faults on every change: with the kills below about three minutes on two quiet cores."""

KILLED_RUNS, KILLS = 5, 3

SEED = 11


def check(what: str, tried: list[Tried], bench: Bench, told: list[str]) -> None:
    told += counted(what, tried, bench.operations)
    wrong = [str(one) for one in tried if one.breaches]
    assert not wrong, "\n".join(wrong)


def test_a_run_whose_nth_file_operation_goes_wrong_ends_with_the_same_result(
    bench: Bench, told: list[str]
) -> None:
    cases = some_faults(bench.operations, SOME, SEED)
    tried = bench.try_all(cases)
    check("N-th operation, some", tried, bench, told)
    assert sum(one.code is not None for one in tried) >= 0.9 * len(tried), "few were reached"


def test_a_run_killed_at_random_moments_ends_with_the_same_result(
    bench: Bench, told: list[str]
) -> None:
    tried = side_by_side(lambda number: bench.try_kills(number, KILLS), range(KILLED_RUNS))
    check(f"random kills, {KILLS} a run", tried, bench, told)


def test_every_operation_going_wrong_in_every_way_changes_no_result(
    bench: Bench, told: list[str]
) -> None:
    check("N-th operation, every", bench.try_all(every_fault(bench.operations)), bench, told)
