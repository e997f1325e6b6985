"""Runs that share a study, each with its own folder, by played workers and a file of SQLite."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autotune.config.profile import Profile
from autotune.protocol import events
from autotune.protocol.job import GenerateJob, Job, TrainJob
from autotune.protocol.plan import Strategy
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.study.shared.address import Address, read_address
from autotune.study.shared.carried import Worker
from autotune.study.shared.settings import SharedStages
from autotune.study.shared.shared_study import SharedStudy, join_study, make_study
from autotune.study.shared.tuner import POLL_SECONDS, SharedTuner, stages_of
from tests import setups
from tests.fakes.runner import FakeRunner
from tests.played import Judge, Workers
from tests.study.shared.test_shared_study import died

A, B, C = (setups.strategy(name) for name in "ABC")
DATA = setups.survey(*[[60, 60]] * 20)
ONE_OF_EIGHT = Judge(lambda _: setups.report(1))


class Killed(BaseException):
    """The end of a process, at any place."""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a study; to make the tables takes longer than most tests."""
    path = tmp_path_factory.mktemp("fresh") / "shared.db"
    make_study(read_address(f"sqlite:///{path}"), "s").close()
    return path


@pytest.fixture
def address(fresh: Path, tmp_path: Path) -> Address:
    shutil.copy(fresh, tmp_path)
    return read_address(f"sqlite:///{tmp_path}/shared.db")


@contextmanager
def part(
    address: Address,
    folder: Path,
    workers: Workers,
    *strategies: Strategy,
    judge: Judge = ONE_OF_EIGHT,
    length: int = 128,
    stages: SharedStages | None = None,
    host: str = "",
    profile: Profile | None = None,
    **choices: Any,
) -> Iterator[SharedTuner]:
    """One worker of the study, on a host of the name of its folder."""
    setup = setups.setup(profile or setups.profile(*(strategies or (A, B))))
    fit = setups.fit(length)
    study = join_study(address, "s")
    with RunDir(folder) as rundir:
        session = Session(rundir, FakeRunner(workers))
        try:
            yield SharedTuner(
                session,
                setup,
                DATA,
                fit,
                judge,
                0.25,
                study=study,
                worker=Worker(host or folder.name, "cpu", str(folder)),
                stages=stages or stages_of(setup, DATA, setups.fit(min(length, 128))),
                **{"sleep": Shortly(), **choices},
            )
        finally:
            study.close()


class Shortly:
    """Waits for a moment only, and not for ever."""

    def __init__(self) -> None:
        self.left = 100

    def __call__(self, _: float) -> None:
        self.left -= 1
        assert self.left, "it waits for nothing"
        time.sleep(0.02)


def trials(address: Address) -> list[Any]:
    study = join_study(address, "s")
    try:
        return study.trials()
    finally:
        study.close()


def killed_in(kind: type[Job]) -> Callable[[Job, int], None]:
    def instead(job: Job, before: int) -> None:
        if isinstance(job, kind):
            raise Killed

    return instead


def recorded(run: SharedTuner, kind: type[Any]) -> list[Any]:
    return [r.event for r in run.session.rundir.records() if isinstance(r.event, kind)]


def test_two_workers_share_the_trials_and_each_tells_of_all(
    address: Address, tmp_path: Path
) -> None:
    ends: dict[str, tuple[int, events.StudyTotal, list[Any]]] = {}

    def work(name: str) -> None:
        with part(address, tmp_path / name, Workers(), A, B, C, overlap=True) as run:
            run.run()
            total = recorded(run, events.StudyTotal)[-1]
            ends[name] = len(run.session.state.trials), total, recorded(run, events.RunEnded)

    workers = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    (first, total, end), (second, other, _) = ends["one"], ends["two"]
    assert first + second == 3 and total.trials == other.trials
    assert [t.strategy for t in total.trials] == ["A", "B", "C"]
    assert all((t.outcome, t.passes, t.n) == ("COMPLETE", 1, 8) for t in total.trials)
    assert {t.host for t in total.trials} <= {"one", "two"}
    assert all(Path(t.checkpoint or "").is_dir() for t in total.trials)
    assert end[-1].reason == "every strategy tried; best 12.5 % is below the target of 25.0 %"


def test_a_worker_that_was_killed_resumes_its_own_trial(address: Address, tmp_path: Path) -> None:
    workers = Workers(killed_in(GenerateJob))
    with part(address, tmp_path / "one", workers, A) as run, pytest.raises(Killed):
        run.run()
    workers = Workers()
    with part(address, tmp_path / "one", workers, A) as run:
        run.run()
        assert len(run.session.state.trials) == 1 and not workers.trainings()
    assert [(t.number, t.state.name, t.value) for t in trials(address)] == [(0, "COMPLETE", 0.125)]


def test_a_killed_workers_trial_is_done_by_another_with_the_same_values_and_it_is_told_so(
    address: Address, tmp_path: Path
) -> None:
    with (
        part(address, tmp_path / "one", Workers(killed_in(TrainJob)), A) as run,
        pytest.raises(Killed),
    ):
        run.run()
    study = join_study(address, "s")
    died(study, 0)
    study.close()
    with part(address, tmp_path / "two", Workers(), A) as other:
        other.run()
        plan = other.session.state.trials[0].plan
    assert plan.identity == run.session.state.trials[0].plan.identity
    with part(address, tmp_path / "one", Workers(), A) as late:
        late.run()
        said = late.session.state.trials[0].failure
    assert said == "trial 1 of the study was given to two meanwhile"
    assert [(t.number, t.state.name) for t in trials(address)] == [(1, "COMPLETE")]


def test_a_worker_back_before_anybody_took_its_trial_goes_on_with_it(
    address: Address, tmp_path: Path
) -> None:
    with (
        part(address, tmp_path / "one", Workers(killed_in(GenerateJob)), A) as run,
        pytest.raises(Killed),
    ):
        run.run()
    study = join_study(address, "s")
    died(study, 0)
    assert study.ask(lambda _: None, {}, accepts=lambda _: False) is None  # a smaller card
    study.close()
    workers = Workers()
    with part(address, tmp_path / "one", workers, A) as run:
        run.run()
        assert not workers.trainings()
    assert [(t.number, t.state.name) for t in trials(address)] == [(1, "COMPLETE")]


def test_an_end_that_the_study_did_not_hear_of_is_told_when_the_worker_is_back(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise Killed

    with part(address, tmp_path / "one", Workers(), A) as run, monkeypatch.context() as at_the_end:
        at_the_end.setattr(SharedStudy, "tell", gone)
        with pytest.raises(Killed):
            run.run()
    assert [t.state.name for t in trials(address)] == ["RUNNING"]
    with part(address, tmp_path / "one", Workers(), A) as run:
        run.run()
        assert len(run.session.state.trials) == 1
    assert [(t.state.name, t.value) for t in trials(address)] == [("COMPLETE", 0.125)]


def test_the_next_strategy_waits_while_the_one_before_may_meet_the_target(
    address: Address, tmp_path: Path
) -> None:
    waited: list[float] = []

    def end(seconds: float) -> None:
        waited.append(seconds)
        raise Killed

    first = Workers(killed_in(TrainJob))
    with part(address, tmp_path / "one", first) as run, pytest.raises(Killed):
        run.run()
    with part(address, tmp_path / "two", Workers(), sleep=end) as run, pytest.raises(Killed):
        run.run()
    said = [event.sentence for event in recorded(run, events.Notice)]
    assert said == ["waiting: strategy A may still meet the target"]
    assert waited == [POLL_SECONDS] and len(trials(address)) == 1
    # B is done then, and A is still another's.
    overlapping = part(address, tmp_path / "two", Workers(), overlap=True, sleep=end)
    with overlapping as run, pytest.raises(Killed):
        run.run()
    assert [t.user_attrs["strategy"] for t in trials(address)] == ["A", "B"]


def test_once_the_target_is_met_a_dead_workers_trial_is_not_begun_again(
    address: Address, tmp_path: Path
) -> None:
    dying = part(address, tmp_path / "one", Workers(killed_in(TrainJob)))
    with dying as run, pytest.raises(Killed):
        run.run()
    met = Judge(lambda _: setups.report(3))
    with part(address, tmp_path / "two", Workers(), judge=met, overlap=True) as run:
        assert run.run()
    study = join_study(address, "s")
    died(study, 0)
    study.close()
    workers = Workers()
    with part(address, tmp_path / "three", workers) as run:
        assert run.run() and not workers.seen


def test_a_card_that_fits_less_than_a_trial_needs_leaves_it_to_a_larger_one(
    address: Address, tmp_path: Path
) -> None:
    def end(_: float) -> None:
        raise Killed

    setup = setups.setup(setups.profile(A))
    large = stages_of(setup, DATA, setups.fit(128))
    small = part(address, tmp_path / "small", Workers(), A, length=64, stages=large, sleep=end)
    with small as run, pytest.raises(Killed):
        run.run()
    assert not trials(address) and "a larger card" in str(run.found)
    with part(address, tmp_path / "large", Workers(), A, stages=large) as run:
        run.run()
    assert [t.user_attrs["host"] for t in trials(address)] == ["large"]


def test_what_fits_the_coordinators_card_is_trained_on_a_larger_one_too(
    address: Address, tmp_path: Path
) -> None:
    longer = setups.strategy("A", model_max_length=512)
    setup = setups.setup(setups.profile(longer))
    stages = stages_of(setup, DATA, setups.fit(96))
    with part(address, tmp_path / "large", Workers(), longer, length=512, stages=stages) as run:
        run.run()
        assert run.session.state.trials[0].plan.model_max_length == 96


def test_a_trial_carries_all_that_others_need(address: Address, tmp_path: Path) -> None:
    with part(address, tmp_path / "one", Workers(), A, coordinates=True) as run:
        run.run()
        assert set(run.session.state.baselines) == {"echo", "untrained"}
        plan = run.session.state.trials[0].plan.identity
    (trial,) = trials(address)
    carried = trial.user_attrs
    assert {"strategy", "plan", "host", "card", "checkpoint", "hours", "verdicts"} <= set(carried)
    assert (carried["passes"], carried["n"], carried["plan"]) == (1, 8, plan)
    assert list(trial.intermediate_values) == [83, 100] and trial.params["learning_rate"] == 1e-3


def test_a_run_at_a_study_waits_out_a_database_that_restarts(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autotune.base.errors import EnvironmentFault
    from autotune.study.shared import patience

    real, faults = SharedStudy.ask, [EnvironmentFault("away")] * 3

    def ask(self: SharedStudy, *words: Any) -> Any:
        if faults:
            raise faults.pop()
        return real(self, *words)

    monkeypatch.setattr(SharedStudy, "ask", ask)
    monkeypatch.setattr(patience, "PAUSE_SECONDS", 0.0)
    with part(address, tmp_path / "one", Workers(), A) as run:
        run.run()
        said = [event.message for event in recorded(run, events.Warned)]
    assert said == ["away; trying again for 30 min"]


def test_a_point_of_ones_own_is_the_same_trial_on_whatever_card_takes_it(
    address: Address, tmp_path: Path
) -> None:
    tree = json.loads(setups.profile(A).model_dump_json(by_alias=True))
    tree["study"] |= {
        "enqueue": [{"learning_rate": 2e-3}],
        "max_trials": 2,
        "search": {
            "model_max_length": 64,
            "lr_scheduler_type": "linear",
            "space": {"learning_rate": [1e-4, 1e-2]},
        },
    }
    chosen = Profile.model_validate_json(json.dumps(tree))
    dying = part(address, tmp_path / "one", Workers(second_killed), profile=chosen)
    with dying as run, pytest.raises(Killed):
        run.run()
    asked = run.session.state.trials[-1].plan
    study = join_study(address, "s")
    died(study, 1)
    study.close()
    with part(address, tmp_path / "two", Workers(), profile=chosen, length=512) as run:
        run.run()
        again = run.session.state.trials[-1].plan
    assert asked.identity == again.identity and again.learning_rate == 2e-3
    assert (again.model_max_length, again.lr_scheduler_type) == (128, "cosine")


def second_killed(job: Job, before: int) -> None:
    if isinstance(job, TrainJob) and before:
        raise Killed
