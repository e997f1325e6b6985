"""What a run keeps of its checkpoints: each trial's best, what has no score, a copy in best/."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from autotune.base.manifest import seal
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.job import AverageJob, GenerateJob, Job, TrainJob
from autotune.protocol.plan import Strategy
from autotune.protocol.results import EvalReport
from autotune.report.build import build_report
from autotune.run.folder import RunDir
from autotune.run.session import Session
from autotune.run.state import replay
from autotune.study.tuner import Tuner
from tests import setups
from tests.fakes.runner import FakeRunner
from tests.played import Judge, Workers
from tests.study.test_tuner import started
from tests.study.test_tuner_resume import EndAt, Ended

DATA = setups.survey(*[[60, 60]] * 20, [60, 10])
A, B = setups.strategy("A"), setups.strategy("B")
MEAN = setups.strategy("A", average_checkpoints=2)


def judge(**passes: int | None) -> Judge:
    """A scorer of so many of 8 passes by the name of a trial and a checkpoint: `t0_step_5=1`."""

    def given(folder: str) -> EvalReport | None:
        trial, name = Path(folder).parts[-3], Path(folder).name
        kind, _, number = name.rpartition("-")
        count = passes.get(f"t{int(trial)}_{kind}_{int(number)}", 0)
        return None if count is None else setups.report(count)

    return Judge(given)


def tuner(
    folder: Path,
    scorer: Judge,
    *strategies: Strategy,
    workers: Workers | None = None,
    end_at: int = 0,
    model: Path = Path("model"),
) -> Tuner:
    """One process of a run, its checkpoints after steps 5 and 6 of each trial."""
    folder.mkdir(exist_ok=True)
    session = Session(
        RunDir(folder), FakeRunner(workers or Workers()), clock=lambda: 1.79e9, view=EndAt(end_at)
    )
    if session.state.run is None:
        session.emit(started())
    setup = setups.setup(setups.profile(*strategies), folder=model)
    return Tuner(session, setup, DATA, setups.fit(), scorer, 0.75)


def kept(folder: Path, trial: int = 0) -> list[str]:
    return sorted(p.name for p in (folder / f"trials/{trial:04d}/checkpoints").iterdir())


def recorded(folder: Path, kind: type) -> list:  # type: ignore[type-arg]
    return [r.event for r in RunDir(folder).records() if isinstance(r.event, kind)]


def sealed_bytes(folder: Path) -> int:
    """Bytes of the manifest of a checkpoint such as the workers write."""
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "optimizer.safetensors").write_bytes(b"moments")
    seal(folder)
    size = (folder / "manifest.json").stat().st_size
    shutil.rmtree(folder)
    return size


def test_the_best_checkpoint_stays_and_the_judged_others_give_their_room_back(
    tmp_path: Path,
) -> None:
    tuner(tmp_path, judge(t0_step_5=3, t0_step_6=1, t1_step_5=0, t1_step_6=2), A, B).run()
    assert kept(tmp_path, 0) == ["step-000005"]
    assert kept(tmp_path, 1) == ["step-000006"]
    assert [(e.number, e.names) for e in recorded(tmp_path, events.CheckpointsRemoved)] == [
        (0, ("step-000006",)),
        (1, ("step-000005",)),
    ]
    sealed = sealed_bytes(tmp_path / "like")
    freed = len(b"weights" + b"moments" + b"moments") + sealed
    assert recorded(tmp_path, events.CheckpointsRemoved)[0].freed_bytes == freed
    assert not list(tmp_path.rglob("optimizer.safetensors"))
    assert (tmp_path / "best" / "model.safetensors").read_bytes() == b"weights"
    best = replay(RunDir(tmp_path).records()).best
    assert best is not None
    assert RunDir(tmp_path).checkpoint(best.number, best.checkpoint).is_dir()


def test_the_best_of_the_study_is_in_its_folder_as_soon_as_its_trial_is_over(
    tmp_path: Path,
) -> None:
    def stop(job: Job, before: int) -> setups.Played | None:
        if isinstance(job, TrainJob) and before == 1:
            raise Ended
        return None

    with pytest.raises(Ended):
        tuner(tmp_path, judge(t0_step_5=3), A, B, workers=Workers(stop)).run()
    assert (tmp_path / "best" / "model.safetensors").exists()


def test_a_checkpoint_without_a_score_keeps_its_weights(tmp_path: Path) -> None:
    tuner(tmp_path, judge(t0_step_5=None, t0_step_6=1), A).run()
    assert kept(tmp_path) == ["step-000005", "step-000006"]
    assert recorded(tmp_path, events.CheckpointsRemoved) == []


def test_a_trial_that_failed_keeps_its_weights(tmp_path: Path) -> None:
    nan = setups.failed(Failure.NUMERIC, "non-finite loss at step 6")

    def instead(job: Job, before: int) -> setups.Played | None:
        return (workers.train(job, until=6)[0], nan) if isinstance(job, TrainJob) else None

    workers = Workers(instead)
    tuner(tmp_path, judge(), A, workers=workers).run()
    assert kept(tmp_path) == ["step-000005"]
    left = (tmp_path / "trials/0000/checkpoints/step-000005").iterdir()
    assert sorted(p.name for p in left) == ["manifest.json", "model.safetensors"]


def test_the_report_tells_which_checkpoints_are_gone(tmp_path: Path) -> None:
    tuner(tmp_path, judge(t0_step_5=3, t0_step_6=1), A).run()
    report = build_report(list(RunDir(tmp_path).records()), tmp_path)
    (trial,) = report.trials
    assert [(c.step, c.passes, c.kept) for c in trial.checkpoints] == [(5, 3, True), (6, 1, False)]
    assert any("1 judged checkpoint removed (step-000006)" in m.text for m in report.timeline)


def test_a_run_that_goes_on_does_not_score_what_is_gone(tmp_path: Path) -> None:
    first = judge(t0_step_5=3)
    tuner(tmp_path, first, A).run()
    again = judge()
    raised = tuner(tmp_path, again, A, B)
    raised.run()
    assert not any("0000" in Path(folder).parts for folder in again.scored)
    assert kept(tmp_path) == ["step-000005"]


def test_the_average_is_made_of_all_and_scored_beside_the_last_checkpoint(tmp_path: Path) -> None:
    scorer = judge(t0_step_5=1, t0_step_6=2, t0_average_2=4)
    workers = Workers()
    tuner(tmp_path, scorer, MEAN, workers=workers).run()
    assert [Path(f).name for f in scorer.scored[1:]] == ["step-000005", "step-000006", "average-2"]
    (job,) = [j for j in workers.seen if isinstance(j, AverageJob)]
    assert [Path(c.folder).name for c in job.of] == ["step-000005", "step-000006"]
    assert kept(tmp_path) == ["average-2"]
    assert (tmp_path / "best" / "model.safetensors").read_bytes() == b"mean"
    report = build_report(list(RunDir(tmp_path).records()), tmp_path)
    assert report.best is not None
    assert (report.best.averaged, report.best.passes) == (2, 4)
    assert [c.averaged for c in report.trials[0].checkpoints] == [0, 0, 2]
    asked = {Path(j.out).parent.name for j in workers.seen if isinstance(j, GenerateJob)}
    assert asked >= {"trial-0000-step-000006", "trial-0000-average-2"}


def test_an_average_that_cannot_be_made_leaves_the_other_scores(tmp_path: Path) -> None:
    bad = setups.failed(Failure.BAD_JOB, "step-000005: is not a whole checkpoint")
    workers = Workers(lambda job, _: ([], bad) if isinstance(job, AverageJob) else None)
    tuner(tmp_path, judge(t0_step_5=3), MEAN, workers=workers).run()
    problem = recorded(tmp_path, events.Evaluated)[-1].problem
    assert problem is not None and "is not a whole checkpoint" in problem
    assert sum(isinstance(j, AverageJob) for j in workers.seen) == 1
    assert kept(tmp_path) == ["step-000005"]


def test_a_worker_that_dies_averaging_is_given_one_more_try(tmp_path: Path) -> None:
    crash = ([], setups.crashed())
    workers = Workers(
        lambda job, before: crash if isinstance(job, AverageJob) and before == 0 else None
    )
    tuner(tmp_path, judge(t0_average_2=3), MEAN, workers=workers).run()
    assert kept(tmp_path) == ["average-2"]


def story(folder: Path) -> list[object]:
    state = replay(RunDir(folder).records())
    return [
        ({p: e.score for p, e in t.evaluations.items()}, t.removed, kept(folder, t.number))
        for t in state.trials
    ]


def moments(records: Sequence[object]) -> range:
    """From the first record of the trial's end of training to the last of the run."""
    kinds = [type(r) for r in records]
    return range(kinds.index(events.Trained) + 1, len(kinds) + 1)


def test_a_run_that_ends_at_any_moment_after_training_ends_with_the_same_scores_and_folders(
    tmp_path: Path,
) -> None:
    def scorer() -> Judge:
        return judge(t0_step_5=1, t0_step_6=2, t0_average_2=4)

    tuner(tmp_path / "whole", scorer(), MEAN).run()
    whole = [r.event for r in RunDir(tmp_path / "whole").records()]
    for moment in moments(whole):
        folder = tmp_path / f"at-{moment}"
        with pytest.raises(Ended):
            tuner(folder, scorer(), MEAN, end_at=moment).run()
        tuner(folder, scorer(), MEAN).run()
        assert story(folder) == story(tmp_path / "whole"), moment
        names = [e.names for e in recorded(folder, events.CheckpointsRemoved)]
        assert names == [("step-000005", "step-000006")]
