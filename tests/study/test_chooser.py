"""The next trial with all its numbers: exact, given, or drawn within the hours that are left."""

import json

import pytest

from autotune.base.errors import BadInput
from autotune.config.profile import Profile
from autotune.protocol.plan import TrainPlan
from autotune.run.state import StudyState
from autotune.run.trial_summary import TrialSummary
from autotune.study.chooser import Chooser
from autotune.study.next_trial import Begin, Stage
from tests import setups

A = setups.strategy("A", n_trials=3)
SEARCH = {"space": {"learning_rate": [1e-4, 1e-2], "num_train_epochs": [1, 6]}}
HOUR = 3600.0


def profile(**study: object) -> Profile:
    """One strategy, and this `[study]`."""
    tree = json.loads(setups.profile(A).model_dump_json(by_alias=True))
    tree["study"] |= study
    return Profile.model_validate_json(json.dumps(tree))


def chooser(**study: object) -> Chooser:
    """A trial takes an hour an epoch."""

    def hours(state: StudyState, plan: TrainPlan) -> float:
        return plan.num_train_epochs * HOUR

    data = setups.survey(*[[60, 60]] * 20)
    return Chooser(setups.setup(profile(**study)), data, setups.fit(), 0.25, hours)


def made(count: int) -> list[TrialSummary]:
    """So many trials of strategy A that are over."""
    return [TrialSummary(n, "A", A.point, "COMPLETE", 0.1, score=0.1) for n in range(count)]


def test_a_strategys_first_trial_is_exact_and_a_further_one_has_another_order_of_data() -> None:
    made_by = chooser()
    first = made_by.choose([], Begin("A", True), StudyState())
    second = made_by.choose(made(1), Begin("A", False), StudyState())
    assert first.point == second.point == A.point
    assert second.plan.seed == first.plan.seed + 1
    assert second.plan.learning_rate == A.learning_rate


def test_points_that_were_given_are_tried_before_any_is_drawn() -> None:
    given = chooser(enqueue=[{"learning_rate": 5e-4}, {"batch_size": 4}])
    assert given.stages == (Stage("A", 3), Stage("search", 2))
    begin = Begin("search", True)
    one = given.choose(made(3), begin, StudyState())
    assert (one.stage, one.plan.learning_rate, one.plan.batch_size) == ("search", 5e-4, 8)
    after = [*made(3), TrialSummary(3, "search", one.point, "COMPLETE", 0.1, score=0.1)]
    two = given.choose(after, begin, StudyState())
    assert (two.plan.learning_rate, two.plan.batch_size) == (1e-3, 4)


def test_a_search_draws_what_ends_within_the_hours_that_are_left() -> None:
    state = StudyState()
    state.worked_seconds = 6 * HOUR
    searching = chooser(max_hours=8, search=SEARCH)
    assert searching.stages[-1] == Stage("search", None)
    for count in range(3, 9):
        found = searching.choose(made(count), Begin("search", True), state)
        assert found.plan.num_train_epochs <= 2
        assert 1e-4 <= found.plan.learning_rate <= 1e-2
        assert found.plan.strategy == "search"
    assert searching.expected(state)("A") == 2 * HOUR
    assert searching.expected(state)("search") == HOUR


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"seed": 7}, "point 1: seed must be one of learning_rate"),
        ({"batch_size": 0}, "point 1: batch_size = 0 is no value that batch_size can have"),
    ],
)
def test_a_point_that_cannot_be_trained_is_refused(point: dict[str, int], words: str) -> None:
    with pytest.raises((BadInput, ValueError), match=words):
        profile(enqueue=[point])
