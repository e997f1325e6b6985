"""How long the very step that trains, and a pass of answering, take this processor.

A few layers with random weights are run by one thread, and the time that the processor gave to it
is counted: other programs may hold it up, but they do not count. The rest of the model's layers
follow on a line.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from autotune.protocol.choices import Precision
from autotune.protocol.prediction import TimedPass, WorkTimes
from autotune.worker.compute import Compute
from autotune.worker.generate.kv_cache import RowCache, Step, by_rows
from autotune.worker.memory.cpu import CpuMemory
from autotune.worker.predict.trace import PRELUDE_TOKENS, FakeLoaded, cut, row, shallow
from autotune.worker.train.optimizer import Recipe
from autotune.worker.train.step import Stepper

Clock = Callable[[], float]

MOST_PARAMETERS = 400_000_000
"""Weights of the deepest model that is timed: in fp32, with gradients and moments, 6 GiB."""

ROWS, ROW_TOKENS = 2, 256
"""The step that is timed, a row a micro-batch: about as many tokens as a small batch of chats."""

DEPTHS = (2, 8)
"""Layers of the models that are timed for a deeper one. Times vary more than bytes do, so the line
has to be longer than that of `job.DEPTHS`."""

LEAST_SECONDS = 0.05
"""A time is taken over so much at least: some systems count a thread's time in steps of 16 ms."""


def work_times(
    config: Any,
    precision: Precision,
    passes: tuple[TimedPass, ...],
    clock: Clock = time.process_time,
) -> WorkTimes:
    """The times of the model of this configuration. Threads are put back to what they were.

    `clock` gives the seconds that the processor has given to this process so far.
    """
    layers = int(config.num_hidden_layers)
    depths = DEPTHS if layers > max(DEPTHS) else (layers,)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = [_of_depth(shallow(config, depth), precision, passes, clock) for depth in depths]
    finally:
        torch.set_num_threads(threads)
    step, *answering = (_line(depths, each, layers) for each in zip(*found, strict=True))
    return WorkTimes(
        training_tokens_per_second=ROWS * ROW_TOKENS / step, pass_seconds=tuple(answering)
    )


def _line(depths: tuple[int, ...], seconds: tuple[float, ...], layers: int) -> float:
    """The time of so many layers; never less than what was measured of fewer."""
    least, most = depths[0], depths[-1]
    if least == most:
        return seconds[0]
    slope = max(0.0, seconds[-1] - seconds[0]) / (most - least)
    return seconds[0] + slope * (layers - least)


def _of_depth(
    config: Any, precision: Precision, passes: tuple[TimedPass, ...], clock: Clock
) -> list[float]:
    """Seconds of a step and of each pass of one model."""
    auto: Any = AutoModelForCausalLM
    compute = Compute(torch.device("cpu"), precision, CpuMemory(), "one thread")
    with torch.random.fork_rng(devices=[]):
        model = auto.from_config(config, dtype=torch.float32)
    model.eval()
    with torch.no_grad(), compute.autocast(), by_rows(model):
        answering = [_pass_seconds(model, each, clock) for each in passes]
    stepper = Stepper(
        FakeLoaded(model),  # type: ignore[arg-type]
        compute,
        Recipe(total_steps=2),
        cut(ROW_TOKENS, False),
    )
    stepper.step([row(PRELUDE_TOKENS)], 1)  # what it makes stays
    rows = [row(ROW_TOKENS)] * ROWS
    return [_seconds(lambda: stepper.step(rows, 2), clock), *answering]


def _pass_seconds(model: Any, asked: TimedPass, clock: Clock) -> float:
    cache = RowCache(asked.rows)
    wide = asked.longest - asked.shortest
    lengths = [asked.shortest + wide * at // asked.rows for at in range(asked.rows)]

    def answer() -> None:
        cache.lengths = list(lengths)
        step = Step(cache, [1] * asked.rows, torch.device("cpu"))
        out = model(
            input_ids=torch.ones((1, asked.rows), dtype=torch.long),
            position_ids=step.places[None],
            step=step,
            use_cache=False,
            logits_to_keep=torch.arange(asked.rows),
        )
        out.logits[0].float().argmax(-1)

    answer()  # takes the room
    return _seconds(answer, clock)


def _seconds(work: Callable[[], object], clock: Clock) -> float:
    """The processor's time for one of it."""
    begin, done = clock(), 0
    while True:
        work()
        done += 1
        spent = clock() - begin
        if spent >= LEAST_SECONDS:
            return spent / done
