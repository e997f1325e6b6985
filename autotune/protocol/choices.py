"""Settings of which there are a few values to choose from: each named once, for both processes.

Options, their help and their rules are made of these, so nothing that takes time to load may be
imported here.
"""

from enum import StrEnum

AUTO = "auto"
"""What leaves a choice to the tool."""

LENGTH_GRID = 64
"""Lengths are searched and rounded in multiples of this many tokens: the tile that matrix
kernels like, and fine enough that a step is under 7 % of 1024."""

SYNTH = "synth"
"""The data of a strategy that trains on practice data, which the run makes with its own model."""


class Precision(StrEnum):
    """Arithmetic of the forward and backward pass; master weights are fp32 in every case."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"


class Sampler(StrEnum):
    """Who draws the points of a search.

    Optuna's tree-structured Parzen estimator, chance, or a quasi-random sequence (needs scipy).
    """

    TPE = "tpe"
    RANDOM = "random"
    QMC = "qmc"


class Supervision(StrEnum):
    """Which tokens carry a label.

    `content`: the answer and the token that ends the turn. `course`: also the assistant header
    before it and the newline after it, as some university courses and older scripts do.
    """

    CONTENT = "content"
    COURSE = "course"


class Asked(StrEnum):
    """What a model is asked for practice data.

    `task`: what is wanted, without the instructions that its answers are amended for. `variant`:
    the first choice of instructions too.
    """

    TASK = "task"
    VARIANT = "variant"


class Truncation(StrEnum):
    """Which side of a conversation that is too long is cut off."""

    RIGHT = "right"
    LEFT = "left"


class Think(StrEnum):
    """Which text of an answer that thinks (`<think>...</think>`) is judged.

    `keep`: all of it, as lm-evaluation-harness does unless told otherwise, and as scores were made
    before there was a choice. `strip`: what follows the last `</think>`.
    """

    KEEP = "keep"
    STRIP = "strip"


class Attention(StrEnum):
    """What computes attention.

    `fused`: flash or the memory-efficient kernel, which hold no table of T x T numbers (T tokens a
    row). `math`: plain mathematics, which hold several, a layer and a head; what torch falls back
    to where it has no fused kernel for a call.
    """

    FUSED = "fused"
    MATH = "math"
