"""What training gained: a checkpoint beside the untrained model, on the same prompts."""

from enum import StrEnum

from autotune.base.model import Boundary


class Improvement(StrEnum):
    """What a gain says of a checkpoint: whether it is an improvement on the untrained model."""

    NO_BETTER = "no better"
    WITHIN_NOISE = "within noise"
    BETTER = "better"


class Gain(Boundary):
    """The untrained model's score `before`, the checkpoint's `after`, both as what they count for.

    Both are 0..1. `gained` prompts pass only after training, `lost` only before it; `p_value` is
    that of so uneven a split (exact McNemar). All three are None where the verdicts on the same
    prompts are not known, as in records of older versions.
    """

    before: float
    after: float
    gained: int | None = None
    lost: int | None = None
    p_value: float | None = None
