"""How fast a model would train and answer where nothing was measured: arithmetic a second, shared.

A training step takes about six operations a token and parameter: two forward, four backward
(Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1; attention's own share
is left out, at these lengths it is the smaller part). An answer takes two.
"""

import time
from dataclasses import dataclass

from autotune.base.format import percent
from autotune.device.find import Device
from autotune.protocol.choices import Precision
from autotune.protocol.prediction import WorkTimes

TRAINING_OPERATIONS = 6
ANSWERING_OPERATIONS = 2

CPU_TRAINING_SHARE = 0.5
"""Of what products of matrices reach: SmolLM2-135M trains at 110 to 130 tokens a second where they
reach 190 to 200 GF/s (docs/LOG.md)."""

CPU_ANSWERING_SHARE = 0.15
"""The same of answering: 90 to 130 tokens a second there, all answers of a batch together."""

CARD_TRAINING_SHARE = 0.25
"""Of a card's fp32 peak. Assumed: a model this small leaves most of a card waiting for memory, and
matrix units in 16 bits make up for some of it."""

CARD_TOKEN_SECONDS = 0.03
"""A token of all answers of a batch on a card. Assumed: 30 layers of some 20 kernels each, and
some 50 microseconds to start a kernel from Python."""

RECOMPUTED = 4 / 3
"""What gradient checkpointing adds: the forward pass again, a third of a step."""

PRODUCT = 512
"""Rows and columns of the matrices that a CPU multiplies to be measured: 0.27 GF a product, a few
milliseconds, so that the best one was not disturbed even where other programs compute."""

MEASURED_SECONDS = 1.0

THREAD_SHARE = 0.5
"""What a thread is counted for beside others: products of so small a model are too short to divide
well, and other programs want their part. On two busy cores SmolLM2-135M took 120 to 150 tokens a
second in training and 170 to 270 in answering, where one thread's own time said 240 and 130 to 400
(docs/LOG.md)."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second of training; seconds of one more token for a batch of answers; from where."""

    tokens_per_second: float
    token_seconds: float
    source: str


def assumed_rate(
    device: Device,
    parameters: int,
    *,
    rows: int,
    gradient_checkpointing: bool,
    slowdown: float = 1.0,
) -> Rate | None:
    """The rate of a model on a device; None for a card whose driver does not report its cores.

    Args:
        device: what computes.
        parameters: of the model.
        rows: answers that are generated at a time.
        gradient_checkpointing: whether a step computes its activations twice.
        slowdown: how many times longer its precision takes there than fp32.
    """
    if device.traits.is_card:
        if device.peak_flops is None:
            return None
        reached = device.peak_flops * CARD_TRAINING_SHARE
        source = (
            f"{reached / 1e12:.1f} TFLOP/s, an assumed {percent(CARD_TRAINING_SHARE, 0)} of the"
            " card's cores x clock"
        )
        speed = card_tokens_per_second(
            device.peak_flops, parameters, gradient_checkpointing=gradient_checkpointing
        )
        return Rate(speed, CARD_TOKEN_SECONDS, source)
    peak = product_flops() / slowdown
    reached = peak * CPU_TRAINING_SHARE
    token = rows * ANSWERING_OPERATIONS * parameters / (peak * CPU_ANSWERING_SHARE)
    source = (
        f"{reached / 1e9:.0f} GFLOP/s, half of what products of matrices reached in"
        f" {MEASURED_SECONDS:g} s just now"
    )
    return Rate(reached / _work(parameters, gradient_checkpointing), token, source)


def timed_rate(times: WorkTimes, threads: int, precision: Precision) -> Rate:
    """The rate of a CPU by what a step and a pass took it just now.

    The first of the passes that were timed is that of an evaluation.
    """
    gain = thread_gain(threads)
    source = (
        f"a training step and an answer's token timed just now in {precision.value}, on some of the"
        f" model's layers ({times.training_tokens_per_second * gain:.0f} tokens/s of training)"
    )
    return Rate(times.training_tokens_per_second * gain, times.pass_seconds[0] / gain, source)


def thread_gain(threads: int) -> float:
    """How many times faster so many threads are taken to be than one."""
    return max(1.0, threads * THREAD_SHARE)


def card_tokens_per_second(
    peak_flops: float, parameters: int, *, gradient_checkpointing: bool
) -> float:
    """Tokens a second of training on a card of this fp32 peak, at the share that is assumed."""
    return peak_flops * CARD_TRAINING_SHARE / _work(parameters, gradient_checkpointing)


def _work(parameters: int, gradient_checkpointing: bool) -> float:
    """Operations of a token in training."""
    return TRAINING_OPERATIONS * parameters * (RECOMPUTED if gradient_checkpointing else 1)


def product_flops() -> float:
    """Operations a second of this CPU, multiplying matrices in fp32; the best of a second."""
    import numpy as np

    left = np.ones((PRODUCT, PRODUCT), dtype=np.float32)
    best, end = float("inf"), time.perf_counter() + MEASURED_SECONDS
    while (begin := time.perf_counter()) < end:
        left @ left
        best = min(best, time.perf_counter() - begin)
    return 2 * PRODUCT**3 / best
