"""Whole runs by played workers: what is trained, scored, escalated, retried and kept."""

from pathlib import Path

import pytest

from autotune.base.errors import BadInput, EnvironmentFault, ExitCode
from autotune.launch import JobResult
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.job import GenerateJob, Job, TrainJob
from autotune.protocol.results import EvalReport
from autotune.run.session import Session
from autotune.run.state import replay
from autotune.study.tuner import Tuner
from autotune.text.events import describe
from tests import setups
from tests.played import Judge, Workers

A, B = setups.strategy("A"), setups.strategy("B", learning_rate=3e-3)
DATA = setups.survey(*[[60, 60]] * 20, [60, 10])


def passes(**by_trial: int) -> Judge:
    """A scorer of so many of 8 passes by trial, `t0=1` for the first one; else none."""

    def given(folder: str) -> EvalReport:
        numbers = {f"{int(name[1:]):04d}": count for name, count in by_trial.items()}
        return setups.report(sum(numbers.get(part, 0) for part in Path(folder).parts))

    return Judge(given)


def tuner(folder: Path, workers: Workers, judge: Judge, **fits: int) -> Tuner:
    """A run of A and B with target 25 %, in this folder."""
    session, _ = setups.session(folder, workers)
    session.emit(started())
    setup = setups.setup(setups.profile(A, B))
    return Tuner(session, setup, DATA, setups.fit(**fits), judge, 0.25)


def started() -> events.RunStarted:
    return events.RunStarted(
        target=0.25,
        profile="test",
        model="toy",
        data="chat.jsonl",
        prompts="prompts.jsonl",
        device="CPU",
        budget_bytes=2**30,
        strategies=("A", "B"),
        prompt_count=8,
    )


def recorded(session: Session, kind: type) -> list:  # type: ignore[type-arg]
    """The events of a kind on record, in order."""
    return [r.event for r in session.rundir.records() if isinstance(r.event, kind)]


def test_a_stays_below_the_target_and_b_meets_it(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers(), passes(t0=1, t1=3))
    assert run.run()
    session = run.session
    assert [(e.previous, e.next) for e in recorded(session, events.Escalated)] == [("A", "B")]
    assert "12.5 %" in recorded(session, events.Escalated)[0].reason
    assert [e.met for e in recorded(session, events.Evaluated)] == [False, False, True, True]
    assert [e.best for e in recorded(session, events.TrialEnded)] == [1 / 8, 3 / 8]
    assert recorded(session, events.RunEnded)[-1].met
    assert [e.name for e in recorded(session, events.BaselineScored)] == ["echo", "untrained"]
    kept = sorted(p.name for p in session.rundir.best.iterdir())
    assert kept == ["README.md", "manifest.json", "model.safetensors"]
    assert replay(session.rundir.records()).trials == session.state.trials


def test_below_the_target_everywhere_the_best_is_kept_and_said_to_be_below(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers(), passes(t0=1, t1=0))
    assert not run.run()
    end = recorded(run.session, events.RunEnded)[-1]
    assert not end.met
    assert "12.5 %" in end.reason
    assert run.session.state.best is not None
    assert run.session.state.best.number == 0
    assert run.session.rundir.best.is_dir()


def test_what_has_no_valid_score_is_never_the_best(tmp_path: Path) -> None:
    run = tuner(tmp_path, Workers(), Judge(lambda _: None))
    assert not run.run()
    assert all(e.problem for e in recorded(run.session, events.Evaluated))
    assert run.session.state.best is None
    assert not run.session.rundir.best.exists()
    assert recorded(run.session, events.RunEnded)[-1].reason.endswith(
        "no checkpoint has a valid score"
    )


def test_late_out_of_memory_goes_on_in_smaller_pieces_with_the_same_batch(tmp_path: Path) -> None:
    gone = setups.failed(Failure.OUT_OF_MEMORY, "CUDA out of memory")

    def instead(job: Job, before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob) or before > 2:
            return None
        # Three times, the first one after a checkpoint was saved.
        return (workers.train(job, until=6)[0] if before == 0 else []), gone

    workers = Workers(instead)
    run = tuner(tmp_path, workers, passes(t0=3), micro_batch_tokens=512)
    assert run.run()
    plans = [job.plan for job in workers.trainings()]
    assert [p.micro_batch_tokens for p in plans] == [512, 256, 128, 120]
    assert {p.gradient_checkpointing for p in plans} == {False}
    assert len({p.identity for p in plans}) == 1
    assert {(p.batch_size, p.total_steps) for p in plans} == {(8, 6)}
    assert [e.step for e in recorded(run.session, events.Resumed)] == [5]
    resizes = [
        r for r in run.session.rundir.records() if isinstance(r.event, events.MicroBatchResized)
    ]
    said = [describe(record, run.session.state) or "" for record in resizes]
    assert len(said) == 3
    assert all("the same 8 conversations a step" in sentence for sentence in said)
    assert said[0].endswith(
        "out of memory in the backward pass of step 6 with micro-batches of 512 tokens; resuming"
        " from the last checkpoint with micro-batches of 256 tokens, the same 8 conversations a"
        " step"
    )


def test_at_the_smallest_micro_batch_comes_checkpointing_and_then_failure(tmp_path: Path) -> None:
    gone = JobResult(Failure.OVER_BUDGET, "over", 1.0, "backward")
    workers = Workers(
        lambda job, before: ([], gone) if isinstance(job, TrainJob) and before < 2 else None
    )
    run = tuner(tmp_path, workers, passes(t1=3), micro_batch_tokens=120)
    assert run.run()
    first, second, third = workers.trainings()
    assert (first.plan.gradient_checkpointing, second.plan.gradient_checkpointing) == (False, True)
    assert second.plan.micro_batch_tokens == 120
    ended = recorded(run.session, events.TrialEnded)
    assert ended[0].failure == (
        "the training needs more than 2.00 GiB in backward at the smallest micro-batch (the budget"
        " is 1.00 GiB); raise --vram-budget, or lower --model-max-length"
    )
    assert third.plan.strategy == "B"


def test_a_crash_is_tried_once_more_and_a_second_one_ends_the_trial(tmp_path: Path) -> None:
    crash = ([], setups.crashed())
    workers = Workers(
        lambda job, before: crash if isinstance(job, TrainJob) and before in (0, 2, 3) else None
    )
    run = tuner(tmp_path, workers, passes(t0=1, t1=3))
    assert not run.run()
    assert [job.plan.strategy for job in workers.trainings()] == ["A", "A", "B", "B"]
    assert [e.failure for e in recorded(run.session, events.TrialEnded)] == [
        None,
        "crashed twice: worker ended with code 1 during backward",
    ]


def test_a_loss_that_is_not_finite_ends_the_training_and_what_it_saved_before_is_scored(
    tmp_path: Path,
) -> None:
    nan = setups.failed(Failure.NUMERIC, "non-finite loss at step 6")

    def instead(job: Job, before: int) -> setups.Played | None:
        if isinstance(job, TrainJob) and before == 0:
            return workers.train(job, until=6)[0], nan
        return None

    workers = Workers(instead)
    judge = passes(t1=3)
    run = tuner(tmp_path, workers, judge)
    assert run.run()
    assert recorded(run.session, events.TrialEnded)[0].failure == "non-finite loss at step 6"
    assert len(workers.trainings()) == 2
    scored = [Path(f).name for f in judge.scored if "0000" in Path(f).parts]
    assert scored == ["step-000005"]
    assert [t.failure for t in run.session.state.trials] == ["non-finite loss at step 6", None]


def test_a_full_disk_ends_the_run_as_the_machines_fault_and_can_be_gone_on_from(
    tmp_path: Path,
) -> None:
    full = setups.failed(Failure.DISK, "checkpoints: no room", "saving")
    workers = Workers(
        lambda job, before: ([], full) if isinstance(job, TrainJob) and before == 0 else None
    )
    with pytest.raises(EnvironmentFault, match="free disk space") as fault:
        tuner(tmp_path, workers, passes(t0=3)).run()
    assert fault.value.exit_code == ExitCode.ENVIRONMENT
    again = tuner(tmp_path, workers, passes(t0=3))
    assert again.run()
    assert len(recorded(again.session, events.TrialStarted)) == 1


UNLOADABLE = setups.failed(
    Failure.LIBRARY,
    "torch cannot be loaded: OSError: [WinError 126] (install the runtime)",
    "start",
)


@pytest.mark.parametrize("work", [TrainJob, GenerateJob])
def test_a_torch_that_cannot_be_loaded_any_more_ends_the_run_at_once(
    tmp_path: Path, work: type[Job]
) -> None:
    asked = []

    def instead(job: Job, _: int) -> setups.Played | None:
        asked.append(job)
        return ([], UNLOADABLE) if isinstance(job, work) else None

    run = tuner(tmp_path, Workers(instead), passes(t0=3))
    with pytest.raises(EnvironmentFault, match=r"install the runtime.*same command again") as fault:
        run.run()
    assert fault.value.exit_code == ExitCode.ENVIRONMENT
    assert sum(isinstance(job, work) for job in asked) == 1
    again = tuner(tmp_path, Workers(), passes(t0=3))
    assert again.run()


def test_data_that_changed_under_a_plan_is_bad_input(tmp_path: Path) -> None:
    bad = setups.failed(Failure.BAD_JOB, "chat.jsonl: 19 conversations, the plan says 21")
    workers = Workers(lambda job, _: ([], bad) if isinstance(job, TrainJob) else None)
    with pytest.raises(BadInput, match="19 conversations"):
        tuner(tmp_path, workers, passes()).run()
