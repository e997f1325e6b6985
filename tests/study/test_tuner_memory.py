"""Whole runs whose workers had to change how they compute: what the next process is told."""

from pathlib import Path

import pytest

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.failure import Failure
from autotune.protocol.job import GenerateJob, Job, TrainJob
from autotune.protocol.plan import MicroBatching
from autotune.protocol.results import EvalReport
from autotune.run.session import Session
from autotune.study.tuner import Tuner
from autotune.text.events import describe
from tests import setups
from tests.played import Judge, Workers


def tuner(folder: Path, workers: Workers, success: str) -> Tuner:
    """A run of A and B, micro-batches of 512 tokens; trial `success` meets the target."""

    def given(path: str) -> EvalReport:
        return setups.report(3 if success in Path(path).parts else 0)

    session, _ = setups.session(folder, workers)
    setup = setups.setup(setups.profile(setups.strategy("A"), setups.strategy("B")))
    data = setups.survey(*[[60, 60]] * 20, [60, 10])
    return Tuner(session, setup, data, setups.fit(micro_batch_tokens=512), Judge(given), 0.25)


def recorded(session: Session, kind: type) -> list:  # type: ignore[type-arg]
    return [r.event for r in session.rundir.records() if isinstance(r.event, kind)]


def resized(after: int, *, same_process: bool, step: int = 3) -> events.MicroBatchResized:
    """What a worker says that began with micro-batches of 512 tokens."""
    return events.MicroBatchResized(
        step=step,
        phase="forward",
        batch_size=8,
        before=MicroBatching(micro_batch_tokens=512, gradient_checkpointing=False),
        after=MicroBatching(micro_batch_tokens=after, gradient_checkpointing=False),
        same_process=same_process,
        reason="OutOfMemoryError: CUDA out of memory",
    )


def micro_batches(workers: Workers) -> list[int]:
    return [job.plan.micro_batch_tokens for job in workers.trainings()]


def test_what_a_worker_learnt_of_memory_is_told_the_one_after_its_crash(tmp_path: Path) -> None:
    def instead(job: Job, before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob) or before > 0:
            return None
        played = workers.train(job, until=4)[0]
        return [*played[:2], resized(256, same_process=True), *played[2:]], setups.crashed()

    workers = Workers(instead)
    run = tuner(tmp_path, workers, "0000")
    assert run.run()
    assert micro_batches(workers) == [512, 256]
    assert len({job.plan.identity for job in workers.trainings()}) == 1


def test_a_run_that_is_killed_after_memory_ran_out_begins_with_the_smaller_cut(
    tmp_path: Path,
) -> None:
    class Killed(BaseException):
        pass

    def instead(job: Job, before: int) -> setups.Played | None:
        if isinstance(job, TrainJob) and before == 1:
            raise Killed
        if isinstance(job, TrainJob) and before == 0:
            return [resized(256, same_process=True)], setups.crashed()
        return None

    workers = Workers(instead)
    with pytest.raises(Killed):
        tuner(tmp_path, workers, "0000").run()
    again = tuner(tmp_path, workers, "0000")
    assert again.run()
    assert micro_batches(workers) == [512, 256, 256]
    assert again.session.state.trials[0].plan.micro_batch_tokens == 512


def test_a_worker_whose_memory_did_not_come_back_has_settled_the_next_ones_cut(
    tmp_path: Path,
) -> None:
    gone = setups.failed(Failure.OUT_OF_MEMORY, "MemoryKept: out of memory")
    workers = Workers(
        lambda job, before: (
            ([resized(200, same_process=False)], gone)
            if isinstance(job, TrainJob) and before == 0
            else None
        )
    )
    run = tuner(tmp_path, workers, "0000")
    assert run.run()
    assert micro_batches(workers) == [512, 200]
    assert len(recorded(run.session, events.MicroBatchResized)) == 1


def test_the_smallest_cut_has_one_try_in_a_fresh_process(tmp_path: Path) -> None:
    """The worker came down to it by itself and ran out of memory there as well."""
    gone = setups.failed(Failure.OUT_OF_MEMORY, "CUDA out of memory")
    smallest = MicroBatching(micro_batch_tokens=120, gradient_checkpointing=True)
    down = resized(120, same_process=True).model_copy(update={"after": smallest})

    def instead(job: Job, before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob) or before > 1:
            return None
        return [down] if before == 0 else [], gone

    workers = Workers(instead)
    run = tuner(tmp_path, workers, "0001")
    assert run.run()
    assert workers.trainings()[1].plan.micro_batching == smallest
    assert [job.plan.strategy for job in workers.trainings()] == ["A", "A", "B"]
    assert recorded(run.session, events.TrialEnded)[0].failure == (
        "out of memory in backward at the smallest micro-batch"
    )


def test_a_training_that_left_fp16_is_answered_for_in_what_it_went_on_in(tmp_path: Path) -> None:
    left = events.PrecisionChanged(
        step=2, before=Precision.FP16, after=Precision.BF16, reason="the loss overflows"
    )

    def instead(job: Job, before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob) or before > 0:
            return None
        played, end = workers.train(job)
        return [left, *played], end

    workers = Workers(instead)
    run = tuner(tmp_path, workers, "0001")
    assert run.run()
    asked = {
        Path(job.model_folder).parts[-3]: job.device.precision
        for job in workers.seen
        if isinstance(job, GenerateJob) and "checkpoints" in job.model_folder
    }
    assert asked == {"0000": Precision.BF16, "0001": Precision.FP32}
    said = [describe(r) or "" for r in run.session.rundir.records() if r.event == left]
    assert said[0].endswith(
        "fp16 given up at step 2 (the loss overflows): continuing in bf16, with the same fp32"
        " master weights"
    )
