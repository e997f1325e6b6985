"""The steps of a long training: a bounded number of them, at the same cost for each."""

import itertools
from collections.abc import Callable
from typing import Any

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.history import history_of
from autotune.run.state import StudyState
from autotune.run.steps import EARLIER_STEPS, NEWEST_STEPS, Steps
from tests import records

MOST = EARLIER_STEPS + NEWEST_STEPS


def steps(count: int) -> Steps:
    found = Steps()
    for number in range(1, count + 1):
        found.add(records.step_done(number, count))
    return found


def numbers(found: Steps) -> list[int]:
    return [step.step for step in found]


def test_a_training_of_usual_length_keeps_every_step() -> None:
    assert numbers(steps(MOST)) == list(range(1, MOST + 1))


def test_of_a_long_training_the_newest_steps_stay_and_the_others_are_thinned_evenly() -> None:
    count = 10 * MOST + 7
    kept = numbers(steps(count))
    assert len(kept) <= MOST
    assert kept[-NEWEST_STEPS:] == list(range(count - NEWEST_STEPS + 1, count + 1))
    first, *others = kept[:-NEWEST_STEPS]
    assert first == 1
    gaps = {b - a for a, b in itertools.pairwise(others)}
    assert len(gaps) == 1
    assert len(others) > EARLIER_STEPS // 2 - 1


def test_steps_that_are_done_again_are_void_also_where_no_checkpoint_was_found() -> None:
    found = steps(9)
    found.drop_after(6)
    assert numbers(found) == [1, 2, 3, 4, 5, 6]
    found.add(records.step_done(1, 9, loss=0.5))
    assert numbers(found) == [1]
    assert found.last is not None
    assert found.last.loss == 0.5


def test_a_training_that_goes_back_into_its_thinned_part_goes_on_from_there() -> None:
    found = steps(10 * MOST)
    found.drop_after(1000)
    assert found.last is not None
    assert 1000 - found.stride < found.last.step <= 1000
    found.add(records.step_done(1001, 10 * MOST))
    assert numbers(found)[-1] == 1001
    assert numbers(found) == sorted(set(numbers(found)))


def test_the_last_steps_reach_back_into_the_thinned_ones_where_few_are_left() -> None:
    found = steps(2 * MOST)
    found.drop_after(2 * MOST - NEWEST_STEPS + 3)
    last = [step.step for step in found.recent(5)]
    assert last == numbers(found)[-5:]
    assert [step.step for step in steps(3).recent(5)] == [1, 2, 3]


class Counted(int):
    """A number that counts how often it is looked at."""

    looks = 0

    @staticmethod
    def _counted(name: str) -> Callable[..., Any]:
        plain = getattr(int, name)

        def look(self: "Counted", *others: Any) -> Any:
            Counted.looks += 1
            return plain(self, *others)

        return look


for _name in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__mod__", "__hash__"):
    setattr(Counted, _name, Counted._counted(_name))


def looks_for(count: int) -> int:
    """How often step numbers are looked at while so many steps are folded."""
    state = StudyState()
    begun = events.TrialStarted(number=0, optuna_number=0, plan=records.plan("A"))
    state.apply(Record(time=1.0, event=begun))
    Counted.looks = 0
    for number in range(1, count + 1):
        done = records.step_done(1, 1).model_copy(update={"step": Counted(number)})
        state.apply(Record.model_construct(time=2.0, event=done))
    return Counted.looks


def test_folding_twice_as_many_steps_takes_twice_the_work() -> None:
    once, twice = looks_for(2 * MOST), looks_for(4 * MOST)
    assert once <= 10 * 2 * MOST
    assert twice <= 2.2 * once


def test_a_report_counts_every_step_and_keeps_no_record_of_one() -> None:
    book = records.Book()
    book.add(events.TrialStarted(number=0, optuna_number=0, plan=records.plan("A")))
    for number in range(1, 50):
        book.add(records.step_done(number, 50), after=1)
    found = history_of(book.records)
    assert found.kinds == {"trial_started": 1, "step": 49}
    assert [record.event.kind for record in found.without_steps] == ["trial_started"]
    assert (found.first, found.last) == (book.records[0].time, book.records[-1].time)
