"""The trial job: real training steps on the longest row, one generation, one more step, measured.

The same `Stepper` that trains is used, with two micro-batches a step, so that the optimizer's
state, the accumulated gradients and the memory of generating between steps are all in the peak.
Before the generation stands a step over ordinary rows: a training's micro-batches are of many
shapes, and what is kept for each of them, or lies in pieces because of them, belongs to the peak as
well.

What one trial leaves for the next in the same process: the model and the conversations.

Loading both takes longer than many a trial. The weights stay as the last trial's few small steps
left them: memory and speed do not depend on their values.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

import torch

from autotune.data.conversation import Conversation
from autotune.data.load import load_conversations
from autotune.protocol import events
from autotune.protocol.choices import Supervision
from autotune.protocol.job import TrialJob
from autotune.protocol.plan import DataSpec, MicroBatching
from autotune.protocol.results import Measurement, TimedStep
from autotune.worker.attention.kernels import training_kernel
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.finite import NumericFault
from autotune.worker.generate.job import answer_batch
from autotune.worker.model import Loaded
from autotune.worker.tokens.encode import IGNORED, ChatCodec, Row
from autotune.worker.train.batches import shuffled
from autotune.worker.train.loop import BadJob
from autotune.worker.train.optimizer import Recipe
from autotune.worker.train.step import Stepper


class ModelCache:
    """One model and one data file, kept until another is asked for.

    `trials` counts the trials of this process so far; the first one ran in a fresh process.
    """

    def __init__(self) -> None:
        self.trials = 0
        self._model: tuple[tuple[Path, torch.device, Supervision], Loaded] | None = None
        self._data: tuple[tuple[DataSpec, str | None], tuple[Conversation, ...]] | None = None

    def model(self, folder: Path, device: torch.device, supervision: Supervision) -> "Loaded":
        """The model of a folder on a device, without gradients."""
        from autotune.worker.model import load  # seconds and megabytes that a survey has no need of

        key = (folder, device, supervision)
        if self._model is None or self._model[0] != key:
            self._model = None
            self._model = (key, load(folder, device, supervision))
        loaded = self._model[1]
        loaded.model.zero_grad(set_to_none=True)
        return loaded

    def conversations(self, data: DataSpec, no_tools: str | None) -> tuple[Conversation, ...]:
        """The conversations of a data spec, as `load_conversations` reads them."""
        key = (data, no_tools)
        if self._data is None or self._data[0] != key:
            self._data = (key, load_conversations(data, no_tools=no_tools).conversations)
        return self._data[1]


ACCUMULATION = 2
GENERATED_TOKENS = 6
"""Tokens generated in a trial, enough to time one."""


def trial(job: TrialJob, compute: Compute, pipe: Pipe, model_cache: ModelCache) -> None:
    """Run the trial and emit what it measured."""
    pipe.enter("loading")
    model_cache.trials += 1
    loaded = model_cache.model(Path(job.model_folder), compute.device, job.data.supervision)
    conversations = model_cache.conversations(job.data, loaded.codec.tool_rows.no_tools)
    point = job.point
    row = longest_row(job, loaded.codec, conversations)
    rows = fullest_step(row, point.micro_batch_tokens)
    ordinary = enough(epoch_rows(job, loaded.codec, conversations), point.micro_batch_tokens)
    timed_rows = list(islice(epoch_rows(job, loaded.codec, conversations), job.timed_conversations))
    stepper = Stepper(
        loaded,
        compute,
        Recipe(total_steps=job.steps + 2, seed=job.seed),
        MicroBatching.from_parts(
            point, micro_batch_tokens=max(point.micro_batch_tokens, len(row.input_ids))
        ),
        packing=point.packing,
        torch_compile=point.torch_compile,
        enter=pipe.enter,
        on_precision_change=refuse,
        warn=lambda words: pipe.emit(events.Warned(message=words)),
    )
    attention = training_kernel(loaded.model, compute, stepper.packing)
    results: list[events.StepResult] = []
    retries: list[int] = []
    finite, timing, timed = True, (0.0, 0.0), None
    try:
        for number in range(1, job.steps + 2):
            if number == job.steps + 1:
                stepper.step(ordinary, number)
                pipe.enter("generation")
                timing = evaluation_shape(job, loaded, compute, row)
                loaded.model.train()
            results.append(stepper.step(rows, number))
            retries.append(compute.memory.read().retries)
        if timed_rows:
            timed = timed_step(stepper, timed_rows, job.steps + 2)
    except NumericFault:
        finite = False
    reading = compute.memory.read()
    pipe.emit(
        events.Measured(
            measurement=Measurement.from_parts(
                reading,
                steps=len(results),
                step_seconds=tuple(r.seconds for r in results),
                supervised_tokens=results[0].supervised_tokens if results else 0,
                tokens=sum(len(r.input_ids) for r in rows),
                allocator_retries=reading.retries,
                step_retries=tuple(b - a for a, b in pairwise([0, *retries])),
                finite=finite,
                prefill_seconds=timing[0],
                token_seconds=timing[1],
                fresh=model_cache.trials == 1,
                timed=timed,
                attention=attention,
                torch_compile=stepper.compiled.on,
            )
        )
    )


def refuse(change: events.PrecisionChanged) -> None:
    """A trial asks about one precision; what it measured in another would be no answer.

    Raises:
        NumericFault: always.
    """
    raise NumericFault(f"{change.before.value} cannot be used: {change.reason}")


def timed_step(stepper: Stepper, rows: Sequence[Row], number: int) -> TimedStep:
    """The faster of two steps over ordinary rows: the first meets shapes that nobody has seen."""
    results = [stepper.step(rows, number) for _ in range(2)]
    seconds = min(r.seconds for r in results)
    return TimedStep.from_parts(results[0], conversations=len(rows), seconds=seconds)


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
        rows += [end_of(row, short)] * (together + 1)
    return rows


def end_of(row: Row, tokens: int) -> Row:
    """The last so many tokens of a row up to its last label, so that there is something to learn.

    Behind it may stand what is only context: turns that are not supervised, or one that was
    truncated.
    """
    ends = (at for at in range(len(row.labels), 0, -1) if row.labels[at - 1] != IGNORED)
    end = max(tokens, next(ends, len(row.labels)))
    return Row(row.input_ids[end - tokens : end], row.labels[end - tokens : end])


def evaluation_shape(
    job: TrialJob, loaded: Loaded, compute: Compute, row: Row
) -> tuple[float, float]:
    """Generate once at the evaluation's shape; seconds to read the batch, and seconds a token.

    As many rows are read as a pass takes at once, which needs as much memory as any pass; reading
    the others as well would only take their time, minutes of it on a CPU.
    """
    room = min(job.generate_context, int(loaded.model.config.max_position_embeddings))
    prompt = (row.input_ids * (1 + room // len(row.input_ids)))[: max(1, room - GENERATED_TOKENS)]
    read_rows = min(job.generate_rows, max(1, job.prefill_tokens // len(prompt)))
    begin = time.perf_counter()
    ticks: list[float] = []
    answer_batch(
        loaded,
        compute,
        [prompt] * job.generate_rows,
        GENERATED_TOKENS,
        on_token=lambda: ticks.append(time.perf_counter()),
        min_new_tokens=GENERATED_TOKENS,  # a model that stops at once would time nothing
        prefill_tokens=job.prefill_tokens,
        read_rows=read_rows,
    )
    # The passes before the last ones read prompts, of which each row has its first token.
    reading = max(0, len(ticks) - GENERATED_TOKENS)
    read, decoded = ticks[reading], len(ticks) - 1 - reading
    token = (ticks[-1] - read) / decoded if decoded else 0.0
    return (read - begin) * job.generate_rows / read_rows, token


def longest_row(job: TrialJob, codec: ChatCodec, conversations: Sequence[Conversation]) -> Row:
    """The longest row that the data keeps at the trial's point; the survey knows where it is."""
    where = job.longest_conversation
    row = encoded(job, codec, conversations[where]) if where < len(conversations) else None
    if row is None or len(row.input_ids) != job.point.row_tokens or not row.supervised:
        raise BadJob(
            f"{job.data.path}: conversation {where + 1} is not the sequence of"
            f" {job.point.row_tokens} tokens that was surveyed; the file changed since"
        )
    return row


def epoch_rows(
    job: TrialJob, codec: ChatCodec, conversations: Sequence[Conversation]
) -> Iterator[Row]:
    """The rows of an epoch in the order in which they are trained on, encoded as they are asked."""
    for at in shuffled(len(conversations), job.seed, 0):
        row = encoded(job, codec, conversations[at])
        if row.supervised:
            yield row


def enough(rows: Iterable[Row], tokens: int) -> list[Row]:
    """As many of the rows as fill a micro-batch over: then they make two, of different shapes.

    oneDNN keeps no more primitives than two shapes ask for (`launch.environment`). Whether a card's
    allocator needs more was not measured.
    """
    taken: list[Row] = []
    left = tokens
    for row in rows:
        if left < 0:
            break
        taken.append(row)
        left -= len(row.input_ids)
    return taken


def encoded(job: TrialJob, codec: ChatCodec, conversation: Conversation) -> Row:
    """A conversation as a row at the trial's point."""
    return codec.encode(
        conversation,
        max_rounds=job.point.max_rounds,
        model_max_length=job.point.model_max_length,
        truncation=job.data.truncation,
    )
