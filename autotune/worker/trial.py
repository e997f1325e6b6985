"""The trial job: real training steps on the longest row, one generation, one more step, measured.

The same `Stepper` that trains is used, with two micro-batches a step, so that Adam's state, the
accumulated gradients and the memory of generating between steps are all in the peak.
"""

import time
from pathlib import Path

from autotune import events
from autotune.data.load import load_conversations
from autotune.job import TrialJob
from autotune.outcome import Measurement
from autotune.worker.compute import Compute
from autotune.worker.encode import ChatCodec, Row, kept_rows
from autotune.worker.generate import answer_batch
from autotune.worker.model import Loaded, load
from autotune.worker.pipe import Pipe
from autotune.worker.step import NumericFault, Recipe, Stepper, StepResult
from autotune.worker.train import BadJob

ACCUMULATION = 2
GENERATED = 6
"""Tokens generated in a trial, enough to time one."""


def trial(job: TrialJob, compute: Compute, pipe: Pipe) -> None:
    """Run the trial and emit what it measured."""
    pipe.enter("loading")
    loaded = load(Path(job.model_folder), compute.device, job.data.supervision)
    point = job.point
    row = longest_row(job, loaded.codec)
    rows = fullest_step(row, point.micro_batch_tokens)
    stepper = Stepper(
        loaded,
        compute,
        # A small rate: the trial asks about memory and speed, not about learning.
        Recipe(1e-5, 0.01, 1.0, "constant", 0, job.steps + 1, job.seed),
        micro_batch_tokens=max(point.micro_batch_tokens, len(row.input_ids)),
        gradient_checkpointing=point.gradient_checkpointing,
        enter=pipe.enter,
    )
    results: list[StepResult] = []
    finite, timing = True, (0.0, 0.0)
    try:
        for number in range(1, job.steps + 2):
            if number == job.steps + 1:
                pipe.enter("generate")
                timing = evaluation_shape(job, loaded, compute, row)
                loaded.model.train()
            results.append(stepper.step(rows, number))
    except NumericFault:
        finite = False
    reading = compute.memory.read()
    pipe.emit(
        events.Measured(
            measurement=Measurement(
                steps=len(results),
                peak_bytes=reading.peak_bytes,
                allocated_bytes=reading.allocated_bytes,
                step_seconds=tuple(r.seconds for r in results),
                supervised_tokens=results[0].supervised_tokens if results else 0,
                tokens=sum(len(r.input_ids) for r in rows),
                allocator_retries=reading.retries,
                finite=finite,
                prefill_seconds=timing[0],
                token_seconds=timing[1],
            )
        )
    )


def fullest_step(row: Row, micro_batch_tokens: int) -> list[Row]:
    """Rows whose micro-batches are as large as training can make them.

    Two micro-batches of the longest row, as many to each as the limit lets in. Where shorter rows
    can fill a micro-batch fuller than that, there is one such as well.
    """
    length = len(row.input_ids)
    together = max(1, micro_batch_tokens // length)
    rows = [row] * (ACCUMULATION * together)
    short = micro_batch_tokens // (together + 1)
    if short * (together + 1) > length * together:
        rows += [Row(row.input_ids[:short], row.labels[:short])] * (together + 1)
    return rows


def evaluation_shape(
    job: TrialJob, loaded: Loaded, compute: Compute, row: Row
) -> tuple[float, float]:
    """Generate once at the evaluation's shape; seconds to read the batch, and seconds a token."""
    room = min(job.generate_context, int(loaded.model.config.max_position_embeddings))
    prompt = (row.input_ids * (1 + room // len(row.input_ids)))[: max(1, room - GENERATED)]
    begin = time.perf_counter()
    ticks: list[float] = []
    answer_batch(
        loaded,
        compute,
        [prompt] * job.generate_rows,
        GENERATED,
        on_token=lambda: ticks.append(time.perf_counter()),
        min_new_tokens=GENERATED,  # a model that stops at once would time nothing
    )
    token = (ticks[-1] - ticks[0]) / (len(ticks) - 1) if len(ticks) > 1 else 0.0
    return max(0.0, ticks[0] - begin), token


def longest_row(job: TrialJob, codec: ChatCodec) -> Row:
    """The longest row that the data keeps at the trial's point."""
    point = job.point
    rows = kept_rows(
        codec,
        load_conversations(job.data).conversations,
        max_rounds=point.max_rounds,
        model_max_length=point.model_max_length,
        truncation=job.data.truncation,
    )
    if not rows:
        raise BadJob(f"{job.data.path}: no row is left at {point.model_max_length} tokens")
    return max(rows, key=lambda row: len(row.input_ids))
