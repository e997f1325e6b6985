"""A run that was ended at any moment and started again: nothing is lost and nothing done twice."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.protocol.job import GenerateJob, TrainJob
from autotune.protocol.plan import Strategy
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.state import replay
from autotune.study.tuner import Tuner
from tests import setups
from tests.fakes.runner import FakeRunner
from tests.played import Judge, Workers

DATA = setups.survey(*[[60, 60]] * 20)
A = setups.strategy("A", n_trials=2, search={"learning_rate": (1e-4, 1e-2)})
B = setups.strategy("B")


class Ended(BaseException):
    """The end of the process, as Ctrl-C or a kill brings it."""


class EndAt:
    """A view that ends the process after so many records."""

    def __init__(self, count: int) -> None:
        self.left = count

    def on_record(self, record: Record) -> None:
        self.left -= 1
        if self.left == 0:
            raise Ended


def tuner(folder: Path, workers: Workers, *strategies: Strategy, end_at: int = 0) -> Tuner:
    """One process of a run that never meets its target."""
    folder.mkdir(exist_ok=True)
    session = Session(RunDir(folder), FakeRunner(workers), clock=lambda: 1.79e9, view=EndAt(end_at))
    setup = setups.setup(setups.profile(*strategies))
    judge = Judge(lambda path: setups.report(int("0001" in Path(path).parts)))
    return Tuner(session, setup, DATA, setups.fit(), judge, 0.25)


def story(folder: Path) -> list[object]:
    """What the study in a folder did: its plans, its scores and its failures."""
    return [
        (t.number, t.plan, {n: e.score for n, e in t.evaluations.items()}, t.failure)
        for t in replay(RunDir(folder).records()).trials
    ]


def optuna_trials(folder: Path) -> list[tuple[object, ...]]:
    """All that the run's one Optuna study says of its trials."""
    import optuna

    storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / 'study.db').as_posix()}")
    (name,) = optuna.get_all_study_names(storage)
    return [
        (t.state.name, t.params, t.value, t.intermediate_values, t.user_attrs)
        for t in optuna.load_study(study_name=name, storage=storage).get_trials()
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, object]:
    """The story and the Optuna trials of a run that nobody ended."""
    folder = tmp_path_factory.mktemp("whole")
    assert not tuner(folder, Workers(), A, B).run()
    return story(folder), optuna_trials(folder)


# Of the 56 records of that run: in the baselines; in the first training, between its two
# checkpoints; at the end of the strategy's last trial; in the last scores.
@pytest.mark.parametrize("moment", [3, 11, 36, 51])
def test_a_run_that_ends_at_any_moment_goes_on_from_there(
    tmp_path: Path, whole: tuple[object, object], moment: int
) -> None:
    workers = Workers()
    with pytest.raises(Ended):
        tuner(tmp_path, workers, A, B, end_at=moment).run()
    assert not tuner(tmp_path, workers, A, B).run()
    recorded = [r.event for r in RunDir(tmp_path).records()]
    starts = [e.number for e in recorded if isinstance(e, events.TrialStarted)]
    scores = [(e.number, e.checkpoint.step) for e in recorded if isinstance(e, events.Evaluated)]
    assert starts == [0, 1, 2]
    assert len(scores) == len(set(scores)) == 6
    assert (story(tmp_path), optuna_trials(tmp_path)) == whole


def test_ctrl_c_in_a_training_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    workers = Workers()

    def interrupt(job: object, before: int) -> setups.Played | None:
        if isinstance(job, TrainJob) and before == 0:
            workers.train(job, until=6)
            raise KeyboardInterrupt
        return None

    workers.instead = interrupt
    with pytest.raises(KeyboardInterrupt):
        tuner(tmp_path, workers, B).run()
    tuner(tmp_path, workers, B).run()
    first, second = workers.trainings()
    assert first == second
    recorded = [r.event for r in RunDir(tmp_path).records()]
    assert [e.step for e in recorded if isinstance(e, events.Resumed)] == [5]
    assert sum(isinstance(e, events.TrialStarted) for e in recorded) == 1


def test_a_run_that_is_over_does_nothing_when_it_is_started_again(tmp_path: Path) -> None:
    tuner(tmp_path, Workers(), B).run()
    again = Workers()
    assert not tuner(tmp_path, again, B).run()
    assert again.seen == []


def test_a_trial_that_was_recorded_and_not_stored_in_the_study_is_stored(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers(), B)
    run.run()
    ended = run.session.state.trials[0]
    session = run.session
    session.emit(events.TrialStarted(number=1, optuna_number=1, plan=ended.plan))
    session.emit(events.TrialEnded(number=1, best=None, failure="out of memory"))
    tuner(tmp_path, Workers(), B).run()
    assert [trial[0] for trial in optuna_trials(tmp_path)] == ["COMPLETE", "FAIL"]


DAMAGE = {
    "none": lambda path: None,
    "gone": lambda path: path.unlink(missing_ok=True),
    "empty": lambda path: path.write_bytes(b""),
    "random": lambda path: path.write_bytes(bytes(range(256)) * 99),
}


@settings(max_examples=4, deadline=None, derandomize=True)
@given(moment=st.integers(1, 51), damage=st.sampled_from(sorted(DAMAGE)))
def test_draws_are_the_same_with_and_without_an_end_and_whatever_became_of_study_db(
    whole: tuple[object, object], moment: int, damage: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workers = Workers()
        with pytest.raises(Ended):
            tuner(folder, workers, A, B, end_at=moment).run()
        DAMAGE[damage](folder / "study.db")
        assert not tuner(folder, workers, A, B).run()
        assert (story(folder), optuna_trials(folder)) == whole


def test_answers_of_an_evaluation_go_to_the_same_file_after_a_restart(tmp_path: Path) -> None:
    workers = Workers()

    def interrupt(job: object, before: int) -> setups.Played | None:
        if isinstance(job, GenerateJob) and before == 1:
            raise KeyboardInterrupt
        return None

    workers.instead = interrupt
    with pytest.raises(KeyboardInterrupt):
        tuner(tmp_path, workers, B).run()
    tuner(tmp_path, workers, B).run()
    asked = [job.out for job in workers.seen if isinstance(job, GenerateJob)]
    assert asked[1] == asked[2]
    assert len(set(asked)) == len(asked) - 1
