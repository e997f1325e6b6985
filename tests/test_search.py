"""Bisection over a grid: the true answer, few questions, nothing accepted untried."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from autotune.search import Bisection, length_grid, most_trials

ROWS = st.integers(1, 200).flatmap(
    lambda size: st.integers(0, size).map(lambda fitting: [i < fitting for i in range(size)])
)


def asked(search: Bisection, row: list[bool]) -> list[int]:
    """Answer the search from the row until it knows; the indices in the order of its questions."""
    questions = []
    while (index := search.next) is not None:
        questions.append(index)
        search.record(index, row[index])
    return questions


@given(ROWS)
def test_the_largest_index_that_fits_is_found(row: list[bool]) -> None:
    search = Bisection(len(row))
    asked(search, row)
    assert search.answer == (sum(row) - 1 if any(row) else None)


@given(ROWS)
def test_the_answer_was_itself_asked_and_no_question_is_asked_twice(row: list[bool]) -> None:
    search = Bisection(len(row))
    questions = asked(search, row)
    assert search.answer is None or search.answer in questions
    assert len(set(questions)) == len(questions)
    assert all(0 <= index < len(row) for index in questions)


@given(ROWS)
def test_a_search_asks_at_most_the_logarithm_of_its_size_and_one_more(row: list[bool]) -> None:
    assert len(asked(Bisection(len(row)), row)) <= math.ceil(math.log2(len(row))) + 1


def test_one_question_is_enough_where_everything_fits() -> None:
    assert asked(Bisection(128), [True] * 128) == [127]


def test_a_search_over_nothing_asks_nothing() -> None:
    search = Bisection(0)
    assert search.next is None
    assert search.answer is None


@given(st.integers(1, 500), st.integers(1, 9000), st.integers(1, 128))
def test_a_grid_rises_in_steps_from_the_shortest_to_at_least_the_longest(
    shortest: int, longest: int, step: int
) -> None:
    grid = length_grid(shortest, longest, step)
    assert all(length % step == 0 for length in grid)
    assert [b - a for a, b in itertools.pairwise(grid)] == [step] * (len(grid) - 1)
    assert shortest <= grid[0] < shortest + step
    assert grid[-1] >= longest
    assert len(grid) == 1 or grid[-1] < longest + step


def test_a_probe_may_ask_three_times_more_than_the_logarithm_of_its_grid() -> None:
    assert [most_trials(size) for size in (1, 2, 3, 4, 16, 17, 128)] == [4, 4, 5, 5, 7, 8, 10]
