"""The train job: one plan from its first step or its newest verified checkpoint to its end."""

import time
from functools import partial
from pathlib import Path

from autotune.base.format import counted
from autotune.base.manifest import describe
from autotune.base.optimizer_state import KEPT
from autotune.data.load import load_conversations
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.job import TrainJob
from autotune.protocol.plan import TrainPlan
from autotune.protocol.results import Checkpoint
from autotune.protocol.save_pace import SavePace
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.faults import JobFault
from autotune.worker.finite import NumericFault
from autotune.worker.model import adopt_template, load
from autotune.worker.oom import StepRecovery
from autotune.worker.tokens.encode import kept_rows
from autotune.worker.train import checkpoint
from autotune.worker.train.batches import step_rows
from autotune.worker.train.checkpoint import folder_name, resume, retain, tensor_bytes
from autotune.worker.train.held_out import HeldOutRows, split
from autotune.worker.train.ranks import ALONE, Ranks
from autotune.worker.train.step import Stepper
from autotune.worker.weights import all_finite


class BadJob(JobFault):
    """The job does not agree with what it finds; running it would train something else."""

    failure = Failure.BAD_JOB


def train(job: TrainJob, compute: Compute, pipe: Pipe, ranks: Ranks = ALONE) -> None:
    """Train until the plan's last step, saving as it says; `ranks` are those that do it."""
    plan, root = job.plan, Path(job.out)
    root.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    pipe.enter("loading")
    demand_data(job)
    loaded = load(Path(job.model), compute.device, plan.data.supervision)
    read = load_conversations(job.data, no_tools=loaded.codec.tool_rows.no_tools)
    with_tools = any(conversation.uses_tools for conversation in read.conversations)
    adopt_template(loaded, plan.data.supervision, with_tools=with_tools)
    rows = kept_rows(
        loaded.codec,
        read.conversations,
        max_rounds=plan.max_rounds,
        model_max_length=plan.model_max_length,
        truncation=plan.data.truncation,
    )
    if len(rows) != plan.kept_conversations:
        raise BadJob(
            f"{job.data.path}: keeps {counted(len(rows), 'conversation')}, the plan says"
            f" {plan.kept_conversations}; the file changed since it was surveyed"
        )
    stepper = Stepper(
        loaded,
        compute,
        plan,
        plan.micro_batching,
        packing=plan.packing,
        torch_compile=plan.torch_compile,
        ranks=ranks,
        enter=pipe.enter,
        on_precision_change=pipe.emit,
        warn=lambda words: pipe.emit(events.Warned(message=words)),
    )
    longest = max(len(row.input_ids) for row in rows)
    recovery = StepRecovery(stepper, pipe, longest_row=longest, batch_size=plan.batch_size)
    rows, held_rows = split(rows, plan.held_out, plan.seed)
    held_out = HeldOutRows(held_rows, plan, job.held_out_known)
    held_out.measure(recovery, pipe, 0)
    done = resumed(root, stepper, plan, pipe)
    held_out.measure(recovery, pipe, done)
    scored = plan.checkpoint_steps
    weights = tensor_bytes(loaded.model.parameters())
    pace = SavePace(
        time.monotonic(),
        every=plan.resume_every_seconds,
        share=plan.saving_share,
        expected_bytes=weights + KEPT.kept_bytes(weights),
    )
    for number in range(done + 1, plan.total_steps + 1):
        picked = step_rows(len(rows), plan.batch_size, plan.seed, number)
        result = recovery.step([rows[at] for at in picked], number)
        pipe.emit(
            events.StepDone.from_parts(
                result,
                step=number,
                total_steps=plan.total_steps,
                memory_bytes=compute.memory.read().peak_bytes,
            )
        )
        # Before a checkpoint, so that whoever resumes from it has no loss left to measure there.
        held_out.measure(recovery, pipe, number)
        began = time.monotonic()
        due = pace.affords(began) if number in scored else pace.is_due(began)
        # What is there already stays as it is, and is none to resume from.
        resumable = ranks.any(due and not (root / folder_name(number)).is_dir())
        if number in scored or resumable:
            saves = partial(save, pipe, root, stepper, number, plan.identity, resumable=resumable)
            folder = recovery.between_steps(partial(ranks.by_first, saves), number)
            pace.saved(began, time.monotonic(), resumable=resumable)
            if folder is None:  # saved by the first rank
                continue
            retain(root, scored)
            saved = Checkpoint(step=number, progress=number / plan.total_steps, folder=str(folder))
            pipe.emit(events.CheckpointSaved(checkpoint=saved, scored=number in scored))
    if ranks.first:
        pipe.emit(
            events.Trained(
                steps=plan.total_steps,
                skipped_steps=stepper.skipped_steps,
                weights_moved=checkpoint.weights_moved(Path(job.model), loaded.model),
                seconds=time.perf_counter() - begin,
            )
        )


def resumed(root: Path, stepper: Stepper, plan: TrainPlan, pipe: Pipe) -> int:
    """`checkpoint.resume` on all ranks: the first one tidies the folder, then the others read it.

    Raises:
        BadJob: they do not see the same checkpoint.
    """
    ranks = stepper.ranks
    done = ranks.in_turn(partial(resume, root, stepper, plan, pipe))
    steps = ranks.each(done)
    if len(set(steps)) > 1:
        raise BadJob(
            f"{root}: its newest checkpoint is of step {' and '.join(map(str, steps))} as the"
            " ranks see it; the folder must be the same on all machines"
        )
    return done


def demand_data(job: TrainJob) -> None:
    """Refuse data that were changed while the run went on: no two trainings by different data.

    Raises:
        BadJob: that.
    """
    began = job.data_sha256
    if began is None:
        return
    found = describe(Path(job.data.path))["sha256"]
    if found != began:
        raise BadJob(
            f"data {job.data.path} has changed since this run began (sha256"
            f" {began[:8]}.. -> {found[:8]}..); put it back or start a new run with"
            " another --run-dir"
        )


def save(
    pipe: Pipe, root: Path, stepper: Stepper, number: int, identity: str, *, resumable: bool
) -> Path:
    """Save the checkpoint of a finished step, if its weights are numbers: others are never scored.

    One that is there already, of a training that came to this step before, is left: it may have its
    score by now, and is whole, as it was verified on resuming. Without `resumable` it has no
    optimizer.

    Raises:
        NumericFault: some weight is not finite.
        DiskFull: see `checkpoint.save`.
    """
    pipe.enter("saving")
    loaded = stepper.loaded
    if not all(map(all_finite, loaded.model.parameters())):
        raise NumericFault(f"non-finite weights after step {number}")
    folder = root / folder_name(number)
    if folder.is_dir():
        return folder
    return checkpoint.save(root, loaded, stepper, number, identity, moments=resumable)
