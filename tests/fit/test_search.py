"""The searches over a grid: the true answer, few questions, nothing accepted untried."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.fit.search import Bisection, Search, length_grid, most_trials

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


COSTS = st.tuples(
    st.integers(1, 200),  # sizes
    st.floats(0, 5000),  # what every size costs
    st.floats(0.01, 3),  # what a token costs
    st.floats(0, 1.3),  # the limit, as a part of what the largest costs
    st.floats(0.2, 5),  # how wrong the guess is
    st.booleans(),  # whether there is one
)


def searched(
    search: Search, costs: list[float], limit: float, *, measured: bool = True
) -> dict[int, bool]:
    """Answer the search until it knows; every question with its answer."""
    tried: dict[int, bool] = {}
    while (index := search.next) is not None:
        assert index not in tried
        tried[index] = costs[index] <= limit
        search.record(index, tried[index], costs[index] if tried[index] and measured else None)
    return tried


@given(COSTS, st.lists(st.floats(-0.02, 0.02), min_size=200, max_size=200))
def test_a_guided_search_finds_the_largest_size_whatever_the_guess(
    drawn: tuple[int, float, float, float, float, bool], noise: list[float]
) -> None:
    count, base, each, share, wrong, guessed = drawn
    sizes = [64 * (n + 1) for n in range(count)]
    limit = share * (base + each * sizes[-1])
    guess = (limit - base) / each * wrong if guessed else None
    for uneven in (False, True):
        costs = [
            (base + each * size) * (1 + (noise[at] if uneven else 0))
            for at, size in enumerate(sizes)
        ]
        search = Search(sizes, most_trials(count) - 1, limit, guess)
        tried = searched(search, costs, limit)
        assert len(tried) < most_trials(count)
        if search.answer is None:
            assert tried[0] is False
        else:
            assert tried[search.answer]
            assert search.answer == count - 1 or tried[search.answer + 1] is False
        if not uneven:
            true = [at for at, cost in enumerate(costs) if cost <= limit]
            assert search.answer == (true[-1] if true else None)


def test_a_good_guess_brackets_the_answer_in_two_questions() -> None:
    sizes = [64 * (n + 1) for n in range(128)]
    search = Search(sizes, most_trials(128) - 1, limit=4100, guess=4000)
    tried = searched(search, [float(size) for size in sizes], 4100, measured=False)
    assert [sizes[index] for index in tried][:2] == [3968, 4160]
    assert sizes[search.answer or 0] == 4096
    assert len(tried) == 4


def test_without_a_guess_a_line_through_what_fitted_is_one() -> None:
    sizes = [64 * (n + 1) for n in range(9)]
    costs = [1000.0 + size for size in sizes]
    search = Search(sizes, most_trials(9) - 1, limit=costs[5])
    assert list(searched(search, costs, costs[5])) == [8, 0, 1, 5, 6]
    assert search.answer == 5


def test_a_guess_beyond_the_grid_asks_for_its_end_first() -> None:
    search = Search([64, 128, 192], 5, guess=10_000)
    assert search.next == 2


def test_too_few_questions_for_a_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="2 questions cannot search 4 sizes"):
        Search([64, 128, 192, 256], 2)
