"""The ranges in which a training stays where all is well, for one model on one kind of data.

They are a profile's `[watch]` table: what a loss or a gradient norm should be depends on the model,
the data and which tokens are supervised, so no number of theirs stands in the code.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from autotune.base.model import Boundary
from autotune.protocol.choices import Supervision
from autotune.protocol.plan import TrainPlan


def _rises(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] >= ends[1]:
        raise ValueError("must rise from the first to the second")
    return ends


Positive = Annotated[float, Field(gt=0)]
Range = Annotated[tuple[Positive, Positive], AfterValidator(_rises)]
"""Lowest and highest value that is well."""

ROUNDING = 1e-9
"""A rate at the end of its range is within it."""


class Ranges(Boundary):
    """What is usual for `model` on `data`; a key that is absent gives no advice.

    `learning_rate` is the range of rates that the others were found with: a plan with another rate
    is not held against them, and no higher one is advised. Losses are per supervised token, the
    median of some steps.
    """

    model: Annotated[str, Field(min_length=1)]
    data: Annotated[str, Field(min_length=1)]
    supervision: Supervision
    learning_rate: Range
    first_loss: Range | None = None
    loss_at_20_percent: Positive | None = None
    final_loss: Range | None = None
    grad_norm: Range | None = None
    most_epochs: Annotated[int, Field(ge=1)] | None = None
    training_hours: Positive | None = None

    def apply_to(self, model: str, data: str, plan: TrainPlan) -> bool:
        """Whether they say something about this plan, with its sources as the user named them."""
        low, high = self.learning_rate
        return (
            _name(model) == _name(self.model)
            and _name(data) == _name(self.data)
            and plan.data.supervision is self.supervision
            and low - ROUNDING <= plan.learning_rate <= high + ROUNDING
        )


def _name(source: str) -> str:
    """`SmolLM2-135M` of a hub id, a folder or a file: a copy on disk is the same data."""
    last = re.split(r"[\\/]", source.rstrip("\\/"))[-1]
    return re.sub(r"\.jsonl?$", "", last, flags=re.IGNORECASE).casefold()
