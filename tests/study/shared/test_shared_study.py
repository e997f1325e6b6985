"""Several processes at one study, played by several connections to one PostgreSQL server."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.study.shared.address import Address, read_address
from autotune.study.shared.heartbeat import heartbeat
from autotune.study.shared.lock import deciding
from autotune.study.shared.shared_study import Point, SharedStudy, join_study, make_study

on_both = pytest.mark.parametrize("address", ["postgresql", "sqlite"], indirect=True)


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """A server, or a file in a folder whose name means something in a URL."""
    if getattr(request, "param", "postgresql") == "postgresql":
        return read_address(request.getfixturevalue("database"))
    (tmp_path / "a {b}%20?#").mkdir()
    return read_address(f"sqlite:///{tmp_path / 'a {b}%20?#' / 'shared.db'}")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def study(address: Address, name: str) -> Iterator[SharedStudy]:
    yield (made := make_study(address, name))
    made.close()


def point(rate: float = 1e-3) -> Point:
    from optuna.distributions import FloatDistribution

    return Point({"learning_rate": rate}, {"learning_rate": FloatDistribution(1e-4, 1e-2)}, {})


def unless_there(trials: Sequence[Any]) -> Point | None:
    """One trial and no more, decided so slowly that another asker is sure to come meanwhile."""
    time.sleep(0.2)
    return None if trials else point()


def died(study: SharedStudy, number: int) -> None:
    """Have a trial's last sign of life be older than a worker that lives lets it become."""
    from sqlalchemy import text

    trial_id = study.trial_id(number)
    update = text("UPDATE trial_heartbeats SET heartbeat = :then WHERE trial_id = :trial")
    with study.storage.engine.begin() as connection:
        connection.execute(update, {"then": "2026-01-01 00:00:00", "trial": trial_id})


@on_both
def test_of_two_that_ask_at_once_the_second_sees_what_the_first_has_begun(
    study: SharedStudy, address: Address, name: str
) -> None:
    begun: list[Any] = []

    def ask() -> None:
        mine = join_study(address, name)
        begun.append(mine.ask(unless_there, {}))
        mine.close()

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert next(trial for trial in begun if trial is not None).params == {"learning_rate": 1e-3}
    assert begun.count(None) == 1 and len(study.trials()) == 1


@on_both
def test_who_waits_too_long_for_the_others_says_so(
    study: SharedStudy, address: Address, name: str
) -> None:
    said = "another worker has been choosing its trial"
    late = deciding(study.storage, address, name, wait_seconds=0.1)
    with deciding(study.storage, address, name), pytest.raises(EnvironmentFault, match=said), late:
        pass


@on_both
def test_a_trial_whose_worker_died_is_begun_again_by_another_with_the_same_values(
    study: SharedStudy,
) -> None:
    first = study.ask(lambda _: point(2e-3), {"host": "one"})
    died(study, first.number)
    second = study.ask(lambda trials: None if trials else point(9e-3), {"host": "two"})
    assert second.params == first.params == {"learning_rate": 2e-3}
    assert (first.user_attrs["host"], second.user_attrs["host"]) == ("one", "two")
    assert [trial.number for trial in study.trials()] == [second.number]


def test_a_trial_is_not_lost_where_who_gave_it_up_died_before_it_was_enqueued_again(
    study: SharedStudy,
) -> None:
    first = study.ask(lambda _: point(2e-3), {})
    study.study.tell(first.number, state=_failed())  # as `fail_stale_trials` does first
    assert study.ask(lambda _: None, {}).params == {"learning_rate": 2e-3}
    assert study.ask(lambda _: None, {}) is None


def test_a_trial_that_its_own_worker_failed_is_over(study: SharedStudy) -> None:
    first = study.ask(lambda _: point(), {})
    assert study.tell(first.number, "FAIL", None, {"failure": "diverged"}) is None
    assert study.ask(lambda _: None, {}) is None
    assert [t.user_attrs["failure"] for t in study.trials()] == ["diverged"]


def test_a_trial_that_ends_every_worker_is_not_begun_for_ever(study: SharedStudy) -> None:
    begun = []
    while (trial := study.ask(lambda trials: None if trials else point(), {})) is not None:
        begun.append(trial.number)
        died(study, trial.number)
    assert len(begun) == 4


@on_both
def test_a_worker_that_comes_back_late_is_told_that_its_trial_is_over(study: SharedStudy) -> None:
    late = study.ask(lambda _: point(), {})
    died(study, late.number)
    other = study.ask(lambda _: None, {})
    said = study.tell(late.number, "COMPLETE", 0.5, {})
    assert said == "Cannot tell a FAIL trial."
    study.report(late.number, 80, 0.3)
    assert study.tell(other.number, "COMPLETE", 0.25, {}) is None
    assert study.study.best_value == 0.25
    # What is told twice, by a worker that died before it could know, is no fault.
    assert study.tell(other.number, "COMPLETE", 0.25, {}) is None


def test_a_trial_whose_worker_lives_stays_its_own(study: SharedStudy) -> None:
    mine = study.ask(lambda _: point(), {})
    died(study, mine.number)
    with heartbeat(study.storage, study.trial_id(mine.number)):
        time.sleep(0.3)
        assert study.ask(lambda trials: None if trials else point(), {}) is None
    assert study.tell(mine.number, "COMPLETE", 0.25, {}) is None


def test_a_trial_that_a_card_is_too_small_for_waits_for_another(study: SharedStudy) -> None:
    died(study, study.ask(lambda _: point(), {}).number)
    assert study.ask(lambda _: None, {}, accepts=lambda _: False) is None
    assert study.ask(lambda _: None, {}) is not None


def test_a_study_that_is_not_there_is_named_with_those_that_are(
    study: SharedStudy, address: Address, name: str
) -> None:
    with pytest.raises(BadInput, match=r"--study other: is not in .* holds: "):
        join_study(address, "other")


def _failed() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL
