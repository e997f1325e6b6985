"""Workers that die: accidents are forgiven while the work gets on, and say nothing about size."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.base.sizes import GIB
from autotune.launch import JobResult
from autotune.launch.host_memory import memory_left
from autotune.launch.retries import KILLS, RetryLimit
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.job import AverageJob, GenerateJob, Job, TrainJob
from autotune.run.session import Session
from autotune.score.answers import Answer
from autotune.study.tuner import Tuner
from tests import records, setups
from tests.fakes.runner import FakeRunner
from tests.played import BASE, EACH, Judge, Memory, Workers, fitting, probed, probing

DATA = setups.survey(*[[60, 60]] * 20)
CRASH = setups.crashed()
KILL = replace(CRASH, reason="killed from outside (signal 9)", killed=True, free_bytes=4 * GIB)


def tuner(folder: Path, workers: Workers, *strategies: object, passes: int = 0) -> Tuner:
    """A run whose checkpoints all pass so many of 8 prompts."""
    session, _ = setups.session(folder, workers)
    wished = strategies or (setups.strategy("A"),)
    setup = setups.setup(setups.profile(*wished))  # type: ignore[arg-type]
    judge = Judge(lambda _: setups.report(passes))
    return Tuner(session, setup, DATA, setups.fit(), judge, 0.25)


def recorded(session: Session, kind: type) -> list:  # type: ignore[type-arg]
    return [r.event for r in session.rundir.records() if isinstance(r.event, kind)]


def dying(ends: dict[int, setups.JobResult], until: dict[int, int]) -> Workers:
    """Workers whose trainings, from 0, end so before the step that `until` gives them."""

    def instead(job: Job, before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob) or before not in ends:
            return None
        return workers.train(job, until.get(before, 1))[0], ends[before]

    workers = Workers(instead)
    return workers


@pytest.mark.parametrize("end", [CRASH, KILL])
def test_many_deaths_of_a_training_that_gets_on_are_no_failure(
    tmp_path: Path, end: setups.JobResult
) -> None:
    workers = dying(dict.fromkeys(range(4), end), {0: 2, 1: 3, 2: 4, 3: 6})
    run = tuner(tmp_path, workers)
    run.run()
    assert [t.failure for t in run.session.state.trials] == [None]
    assert len(workers.trainings()) == 5


def test_two_crashes_at_one_place_end_the_training_and_what_it_saved_is_scored(
    tmp_path: Path,
) -> None:
    workers = dying({0: CRASH, 1: CRASH, 2: CRASH}, {0: 6, 1: 6, 2: 6})
    run = tuner(tmp_path, workers, passes=3)
    # A checkpoint at 80 % that meets the target is a success, whatever became of the rest.
    assert run.run()
    (trial,) = run.session.state.trials
    assert trial.failure == "crashed twice: worker ended with code 1 during backward"
    assert [e.checkpoint.step for e in trial.evaluations.values()] == [5]
    assert len(workers.trainings()) == 2
    assert (run.session.rundir.best / "model.safetensors").exists()


def test_a_run_ended_between_a_failure_and_its_scores_does_not_train_again(tmp_path: Path) -> None:
    class Ended(BaseException):
        pass

    def instead(job: Job, _: int) -> setups.Played | None:
        if isinstance(job, GenerateJob) and "checkpoints" in job.model_folder:
            raise Ended
        return crashing.instead(job, sum(isinstance(old, TrainJob) for old in ending.seen) - 1)

    crashing = dying(dict.fromkeys(range(3), CRASH), dict.fromkeys(range(3), 6))
    ending = Workers(instead)
    with pytest.raises(Ended):
        tuner(tmp_path, ending).run()
    again = Workers()
    run = tuner(tmp_path, again)
    run.run()
    assert again.trainings() == []
    assert len(run.session.state.trials[0].evaluations) == 1
    assert len(recorded(run.session, events.TrainingFailed)) == 1


def test_a_training_that_is_killed_again_and_again_ends_the_command_and_not_the_trial(
    tmp_path: Path,
) -> None:
    workers = dying(dict.fromkeys(range(KILLS), KILL), {})
    with pytest.raises(EnvironmentFault, match="something on this computer ends the tool's") as end:
        tuner(tmp_path, workers).run()
    assert end.value.exit_code == ExitCode.ENVIRONMENT
    assert "4.00 GiB of memory free" in str(end.value)
    assert len(workers.trainings()) == KILLS
    run = tuner(tmp_path, Workers())
    run.run()
    assert [t.failure for t in run.session.state.trials] == [None]


def test_a_step_more_than_the_last_time_is_not_yet_getting_on() -> None:
    retry_limit = RetryLimit()
    for step in (50, 51, 52):
        retry_limit.on_event(records.step_done(step, 1000))
        died = retry_limit.allows_retry(CRASH)
    assert not died
    retry_limit = RetryLimit()
    for step in (50, 110, 170, 230):
        retry_limit.on_event(records.step_done(step, 1000))
        assert retry_limit.allows_retry(CRASH)


def test_a_checkpoint_that_was_there_before_is_no_gain() -> None:
    at = records.checkpoint(0, 10, 0.1)
    retry_limit = RetryLimit()
    for _ in range(2):
        retry_limit.on_event(events.Resumed(step=10))
        retry_limit.on_event(events.CheckpointSaved(checkpoint=at, scored=True))
        died = retry_limit.allows_retry(CRASH)
    assert not died


def answering(each: int, end: setups.JobResult) -> Workers:
    """Workers that add so many answers to the file and die, until all are there."""

    def instead(job: Job, _: int) -> setups.Played | None:
        if not isinstance(job, GenerateJob):
            return None
        out = Path(job.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
        asked = setups.prompts()[len(lines) : len(lines) + each]
        new = [Answer(key=p.key, prompt=p.prompt, response="yes", finish="stop") for p in asked]
        lines += [answer.model_dump_json() for answer in new]
        out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return [], (setups.done() if len(lines) == len(setups.prompts()) else end)

    return Workers(instead)


@pytest.mark.parametrize("end", [CRASH, KILL])
def test_an_evaluation_whose_workers_die_goes_on_while_answers_are_added(
    tmp_path: Path, end: setups.JobResult
) -> None:
    run = tuner(tmp_path, answering(2, end), passes=3)
    assert run.run()
    assert [e.problem for e in recorded(run.session, events.Evaluated)] == [None, None]


def test_an_evaluation_that_is_killed_again_and_again_has_not_failed(tmp_path: Path) -> None:
    run = tuner(tmp_path, answering(0, KILL))
    with pytest.raises(EnvironmentFault, match="3 in a row"):
        run.run()
    assert recorded(run.session, events.Evaluated) == []


def test_a_mean_whose_worker_is_killed_twice_is_made(tmp_path: Path) -> None:
    workers = Workers(
        lambda job, before: ([], KILL) if isinstance(job, AverageJob) and before < 2 else None
    )
    run = tuner(tmp_path, workers, setups.strategy("A", average_checkpoints=2))
    run.run()
    assert [e.checkpoint.averaged for e in recorded(run.session, events.Evaluated)] == [0, 0, 2]


@pytest.mark.parametrize("card", [False, True])
def test_a_probe_whose_worker_is_killed_with_memory_free_tries_the_same_point_again(
    card: bool,
) -> None:
    killed = replace(KILL, failure=Failure.HOST_MEMORY)
    memory = Memory(BASE, EACH, {0: ([], killed), 1: ([], killed)})
    found, verdicts = probed(memory, setups.survey([600]), fitting(5000), card=card)
    assert verdicts[:3] == ["CRASHED", "CRASHED", "FITS"]
    assert memory.points[0] == memory.points[1] == memory.points[2]
    assert found.model_max_length == 640


def test_a_probe_whose_workers_are_killed_again_and_again_never_says_that_nothing_fits() -> None:
    memory = Memory(BASE, EACH, dict.fromkeys(range(99), ([], KILL)))
    with (
        probing(memory, setups.survey([600]), fitting(5000)) as probe,
        pytest.raises(EnvironmentFault, match="so it was not for memory") as end,
    ):
        probe.run()
    assert "--vram-budget" not in str(end.value)
    assert len(memory.points) == KILLS


@pytest.mark.parametrize("tokens", [237, 311, 829])
def test_kills_from_outside_take_no_trial_from_the_search(tokens: int) -> None:
    data = setups.survey(*[[length] * 16 for length in range(20, 60)])
    calm, _ = probed(Memory(BASE, EACH), data, fitting(tokens))
    every_second = dict.fromkeys(range(0, 60, 2), ([], KILL))
    found, verdicts = probed(Memory(BASE, EACH, every_second), data, fitting(tokens))
    assert verdicts.count("CRASHED") >= 5
    assert (found.model_max_length, found.max_rounds) == (calm.model_max_length, calm.max_rounds)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Path]:
    """A container that uses 950 of its 1000 bytes, 50 of them for files."""
    (tmp_path / "memory.max").write_text("1000\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("950\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 900\ninactive_file 50\n", encoding="ascii")
    yield tmp_path


def test_in_a_container_its_own_limit_is_what_is_left(container: Path) -> None:
    assert memory_left(container) == (100, 1000)
    (container / "memory.max").write_text("max\n", encoding="ascii")
    assert memory_left(container)[1] > 1000


@dataclass
class Limits:
    """A runner that keeps what each job may take and hands it to another."""

    runner: FakeRunner
    seen: dict[str, int | None] = field(default_factory=dict)

    def run(self, job: Job, *args: Any, **kwargs: Any) -> setups.JobResult:
        self.seen[job.job] = job.device.resident_limit_bytes
        return self.runner.run(job, *args, **kwargs)


@pytest.mark.parametrize("card", [False, True])
def test_on_a_cpu_every_worker_of_a_run_has_the_budget_and_a_twentieth_more(
    tmp_path: Path, card: bool
) -> None:
    run = tuner(tmp_path, Workers(), setups.strategy("A", average_checkpoints=2))
    budget = 4 * GIB
    limits = Limits(run.session.runner)  # type: ignore[arg-type]
    run.session.runner = limits  # type: ignore[assignment]
    run.setup = run.training.setup = setups.setup(
        setups.profile(setups.strategy("A", average_checkpoints=2)), budget, card=card
    )
    run.run()
    limit = None if card else round(1.05 * budget)
    assert limits.seen == {"generate": limit, "train": limit, "average": limit}


def test_a_worker_may_always_take_what_its_libraries_need() -> None:
    assert setups.setup(setups.profile(), 100 * 2**20).work_device.limit_bytes == 2 * GIB


def test_a_training_that_needs_more_than_the_budget_says_so_with_the_remedy(tmp_path: Path) -> None:
    over = JobResult(Failure.OVER_BUDGET, "resident memory passed the limit", 1.0, "backward")
    run = tuner(tmp_path, dying(dict.fromkeys(range(9), over), {}))
    run.run()
    (trial,) = run.session.state.trials
    assert trial.failure == (
        "the training needs more than 2.00 GiB in backward at the smallest micro-batch (the budget"
        " is 1.00 GiB); raise --vram-budget, or lower --model-max-length"
    )
