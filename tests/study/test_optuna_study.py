"""Draws of a strategy's trials: exact values first, other values after, from the record alone."""

import pytest

from autotune.protocol import events
from autotune.run.state import StudyState, replay
from autotune.study.optuna_study import draw
from tests import records, setups

SEARCHED = setups.strategy(
    "A", n_trials=4, search={"learning_rate": (1e-5, 1e-2), "weight_decay": (0.0, 0.1)}
)


def after(*values: dict[str, float], seed: int = 42) -> StudyState:
    """The state after trials with these values, each with a better score than the one before."""
    book = records.Book()
    for number, changed in enumerate(values):
        plan = records.plan("A").model_copy(update=changed)
        book.add(events.TrialStarted(number=number, optuna_number=number, plan=plan), after=1)
        book.add(records.evaluated(number, records.checkpoint(number, 12, 1.0), number + 1))
        book.add(events.TrialEnded(number=number, best=None))
    return replay(book.records)


def drawn(trials: int, seed: int) -> list[dict[str, float]]:
    """The values of so many trials of which each saw those before it."""
    values: list[dict[str, float]] = []
    for number in range(trials):
        found, parameters = draw(after(*values), SEARCHED, seed)
        assert found == number
        values.append(parameters)
    return values


def test_the_first_trial_is_exact_and_the_others_follow_from_the_seed() -> None:
    first, *others = drawn(3, seed=42)
    assert first == {"learning_rate": 1e-3, "weight_decay": 0.0}
    rates = [values["learning_rate"] for values in others]
    assert len({1e-3, *rates}) == 3
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    assert all(0.0 <= values["weight_decay"] <= 0.1 for values in others)
    assert drawn(2, seed=42) == [first, others[0]]
    assert drawn(2, seed=7) != [first, others[0]]


def test_many_trials_are_drawn_by_what_the_earlier_ones_scored() -> None:
    # Ten are drawn blindly before Optuna looks at scores.
    values = drawn(11, seed=42)
    known = after(*values)
    number, twelfth = draw(known, SEARCHED, 42)
    assert number == 11
    assert draw(known, SEARCHED, 42) == (number, twelfth)
    best = known.trials[0].evaluations
    known.trials[0].evaluations = {
        place: records.evaluated(0, e.checkpoint, 24) for place, e in best.items()
    }
    assert draw(known, SEARCHED, 42)[1] != twelfth


def test_exact_values_may_stand_outside_the_ranges() -> None:
    outside = setups.strategy("A", learning_rate=0.5, search={"learning_rate": (1e-5, 1e-2)})
    number, parameters = draw(after({"learning_rate": 0.5}), outside, 42)
    assert number == 1
    assert 1e-5 <= parameters["learning_rate"] <= 1e-2


def test_a_strategy_without_ranges_draws_nothing_and_loads_no_optuna(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    assert draw(after({}), setups.strategy("A"), 42) == (1, {})


def test_numbers_that_an_earlier_version_skipped_are_not_used_again() -> None:
    book = records.Book()
    book.add(events.TrialStarted(number=0, optuna_number=1, plan=records.plan("A")))
    assert draw(replay(book.records), SEARCHED, 42)[0] == 2
