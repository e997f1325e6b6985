"""A run whose best weights are gone: the next best on the disk, or the same training again."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.base.manifest import fault_of, seal
from autotune.protocol import events
from autotune.protocol.job import GenerateJob, Job, TrainJob
from autotune.report.build import build_report
from autotune.report.schema import Report
from autotune.run.folder import RunDir
from autotune.run.state import StudyState, replay
from autotune.run.trial_summary import TrialSummary
from autotune.study.next_trial import Begin, Limits, Stage, Stop, next_trial
from tests import setups
from tests.played import Workers
from tests.study.test_cleanup import A, B, judge, kept, recorded, tuner
from tests.study.test_damage import emptied
from tests.study.test_tuner_resume import Ended

TWO = {"t0_step_5": 3, "t1_step_6": 2}
"""Passes of 8 of two trials: the best of the first is the better one."""
AGAIN = {"t0_step_5": 3, "t1_step_5": 3}
"""Passes of a trial, and of its repeat."""
MEETS = {"t0_step_5": 7, "t1_step_5": 7}


def lose(folder: Path, *trials: int) -> None:
    """Remove `best/` and the checkpoints of these trials, as a disk or a person does."""
    shutil.rmtree(folder / "best")
    for trial in trials:
        shutil.rmtree(folder / f"trials/{trial:04d}/checkpoints")


def now(folder: Path) -> StudyState:
    return replay(RunDir(folder).records())


def report(folder: Path) -> Report:
    return build_report(list(RunDir(folder).records()), folder)


def trainings(workers: Workers) -> int:
    return sum(isinstance(job, TrainJob) for job in workers.seen)


def test_the_next_best_on_the_disk_takes_the_place_of_a_best_that_is_gone(tmp_path: Path) -> None:
    assert not tuner(tmp_path, judge(**TWO), A, B).run()
    lose(tmp_path, 0)
    workers = Workers()
    assert not tuner(tmp_path, judge(**TWO), A, B, workers=workers).run()
    assert trainings(workers) == 0
    best = now(tmp_path).best
    assert best is not None
    assert (best.number, best.checkpoint.step) == (1, 6)
    assert [(e.number, e.checkpoint.step) for e in recorded(tmp_path, events.BestKept)][-1] == (
        1,
        6,
    )
    assert fault_of(tmp_path / "best") is None
    made = report(tmp_path)
    assert made.best is not None
    assert made.best.passes == 2
    first = made.trials[0]
    assert [(c.step, c.passes, c.lost) for c in first.checkpoints] == [(5, 3, True), (6, 0, False)]
    assert first.verdict == "below target, but its weights are lost"
    (warning,) = [line for line in made.warnings if "lost" in line]
    assert warning.startswith(
        "trial 0: the weights of checkpoint 83 %, the best so far, are lost (it is not there)"
    )


def test_what_has_no_other_checkpoint_left_is_trained_again_with_the_same_plan(
    tmp_path: Path,
) -> None:
    assert not tuner(tmp_path, judge(**AGAIN), A).run()
    lose(tmp_path, 0)
    workers = Workers()
    assert not tuner(tmp_path, judge(**AGAIN), A, workers=workers).run()
    first, again = recorded(tmp_path, events.TrialStarted)
    assert (again.number, again.repeats, again.plan) == (1, 0, first.plan)
    assert (tmp_path / "best" / "model.safetensors").read_bytes() == b"weights"
    assert (
        recorded(tmp_path, events.RunEnded)[-1].reason
        == "every strategy tried; best 37.5 % is below the target of 75.0 %"
    )
    assert any(
        "trains trial 0 again, with the same plan" in line for line in report(tmp_path).warnings
    )
    assert not tuner(tmp_path, judge(**AGAIN), A, workers=workers).run()
    assert trainings(workers) == 1


def test_a_trial_that_met_the_target_is_trained_again_before_others_are_tried(
    tmp_path: Path,
) -> None:
    assert tuner(tmp_path, judge(**MEETS), A, B).run()
    lose(tmp_path, 0)
    assert tuner(tmp_path, judge(**MEETS), A, B).run()
    assert [e.plan.strategy for e in recorded(tmp_path, events.TrialStarted)] == ["A", "A"]
    assert recorded(tmp_path, events.Escalated) == []


def test_a_target_that_only_lost_weights_met_is_not_met(tmp_path: Path) -> None:
    passes = {"t0_step_5": 3, "t1_step_5": 7}
    assert tuner(tmp_path, judge(**passes), A, B).run()
    lose(tmp_path, 1)
    assert not tuner(tmp_path, judge(**passes), A, B).run()
    best = now(tmp_path).best
    assert best is not None
    assert best.number == 0
    assert [t.verdict for t in report(tmp_path).trials] == [
        "below target",
        "target met, but its weights are lost",
    ]


@pytest.mark.parametrize("again", [3, 4], ids=["the same score", "a better one"])
def test_weights_that_are_lost_a_second_time_end_the_run_with_what_to_do(
    tmp_path: Path, again: int
) -> None:
    passes = {"t0_step_5": 3, "t1_step_5": again}
    assert not tuner(tmp_path, judge(**passes), A).run()
    lose(tmp_path, 0)
    assert not tuner(tmp_path, judge(**passes), A).run()
    lose(tmp_path, 1)
    with pytest.raises(EnvironmentFault, match="put either back from a backup") as fault:
        tuner(tmp_path, judge(**passes), A).run()
    assert "\n" not in str(fault.value)


def test_lost_weights_that_somebody_put_back_are_the_best_again(tmp_path: Path) -> None:
    assert not tuner(tmp_path, judge(**TWO), A, B).run()
    backup = shutil.copytree(tmp_path / "trials/0000/checkpoints", tmp_path / "backup")
    lose(tmp_path, 0)
    assert not tuner(tmp_path, judge(**TWO), A, B).run()
    shutil.copytree(backup, tmp_path / "trials/0000/checkpoints")
    assert not tuner(tmp_path, judge(**TWO), A, B).run()
    best = now(tmp_path).best
    assert best is not None
    assert best.number == 0
    assert [c.lost for c in report(tmp_path).trials[0].checkpoints] == [False, False]


def test_a_best_that_is_damaged_before_its_trial_is_over_leaves_the_next_one_of_it(
    tmp_path: Path,
) -> None:
    def harm(job: Job, before: int) -> setups.Played | None:
        if isinstance(job, GenerateJob) and job.model_folder.endswith("step-000006"):
            later = Path(job.model_folder)
            (later / "model.safetensors").write_bytes(b"later")
            (later / "manifest.json").unlink()
            seal(later)
            emptied(later.with_name("step-000005"))
        return None

    assert not tuner(tmp_path, judge(t0_step_5=3, t0_step_6=2), A, workers=Workers(harm)).run()
    best = now(tmp_path).best
    assert best is not None
    assert best.checkpoint.step == 6
    assert "step-000006" in kept(tmp_path)
    assert (tmp_path / "best" / "model.safetensors").read_bytes() == b"later"


def test_a_run_killed_anywhere_while_it_makes_up_for_lost_weights_ends_the_same(
    tmp_path: Path,
) -> None:
    finished = tmp_path / "finished"
    tuner(finished, judge(**MEETS), A).run()
    lose(finished, 0)
    calm = shutil.copytree(finished, tmp_path / "calm")
    assert tuner(calm, judge(**MEETS), A).run()
    before = sum(1 for _ in RunDir(finished).records())
    kinds = [type(record.event) for record in RunDir(calm).records()][before:]
    for kind in (events.BestLost, events.TrialStarted, events.TrialEnded, events.BestKept):
        killed = shutil.copytree(finished, tmp_path / f"killed-{kind.__name__}")
        with pytest.raises(Ended):
            tuner(killed, judge(**MEETS), A, end_at=kinds.index(kind) + 1).run()
        assert tuner(killed, judge(**MEETS), A).run(), kind
        assert len(recorded(killed, events.TrialStarted)) == 2
        assert len(recorded(killed, events.BestLost)) == 1
        best = now(killed).best
        assert best is not None
        assert (best.number, best.checkpoint.step) == (1, 5)
        assert fault_of(killed / "best") is None


def test_a_trial_that_lost_its_best_is_compared_by_what_is_left_of_it() -> None:
    stages, limits = (Stage("A"), Stage("B"), Stage("C")), Limits(target=0.25)
    lost = TrialSummary(0, "A", {}, "COMPLETE", value=0.3, score=0.2, left=0.2)
    met = TrialSummary(1, "B", {}, "COMPLETE", value=0.26, score=0.26, met=True)
    assert next_trial([lost, met], stages, limits) == Stop(True, "strategy B scores 26.0 %")
    gone = replace(lost, left=None, lost=True)
    assert next_trial([gone, met], stages, limits) == Stop(True, "strategy B scores 26.0 %")
    again = replace(met, stage="A", met=False, repeats=True)
    twice = (Stage("A", 2), *stages[1:])
    assert next_trial([gone, again], twice, limits) == Begin("A", first=False)
