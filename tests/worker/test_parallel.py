"""Results come in the order of the items, whichever thread is done first."""

import threading
from collections.abc import Iterator

import pytest

from autotune.worker.parallel import map_in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order_though_the_first_takes_longest(threads: int) -> None:
    second_done = threading.Event()

    def work(item: int) -> int:
        if item == 0 and threads > 1:
            assert second_done.wait(30)
        if item == 1:
            second_done.set()
        return item * item

    assert list(map_in_order(work, range(20), threads)) == [(at, at * at) for at in range(20)]


def test_items_are_asked_for_as_they_are_needed_and_no_thread_stays() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for at in range(1000):
            asked.append(at)
            yield at

    before = threading.active_count()
    results = map_in_order(str, items(), 3)
    assert next(results) == (0, "0")
    assert len(asked) == 4
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_what_work_raises_is_raised_at_its_item() -> None:
    found = map_in_order(lambda item: 6 // item, [3, 2, 0, 1], 2)
    assert [next(found), next(found)] == [(3, 2), (2, 3)]
    with pytest.raises(ZeroDivisionError):
        next(found)
