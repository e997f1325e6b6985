"""What is predicted without running it: the memory of a training step, by what takes it.

A prediction is an estimate of what tensors need. The CUDA context and the allocator's slack come
on top of it; `autotune.fit.forecast` adds them.
"""

from typing import Annotated

from pydantic import Field

from autotune.base.model import Boundary
from autotune.protocol.choices import Attention
from autotune.protocol.device_kind import DeviceKind

Capability = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=0)]]
"""Of a card, as CUDA counts: (8, 9) is Ada."""


class PredictPoint(Boundary):
    """The shape of a micro-batch: so many rows, each of so many tokens, none of them padding."""

    rows: Annotated[int, Field(ge=1)]
    tokens: Annotated[int, Field(ge=1)]
    gradient_checkpointing: bool


class PredictedPeak(Boundary):
    """The fullest moment of a training step at a point, in bytes, and what fills it.

    `weights_bytes`: fp32 master weights and buffers. `gradients_bytes`: fp32 gradients, kept from
    one micro-batch to the next. `optimizer_bytes`: what the optimizer keeps beside them.
    `activations_bytes`: what the forward pass keeps for the backward pass, or computes again in it.
    `logits_bytes`: tensors as wide as the vocabulary. `temporary_bytes`: the rest, such as 16-bit
    copies of weights, gradients on their way, and workspaces. `optimizer_step_bytes` is the peak of
    clip and update alone.
    """

    point: PredictPoint
    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    logits_bytes: int
    temporary_bytes: int
    peak_phase: str
    optimizer_step_bytes: int

    @property
    def peak_bytes(self) -> int:
        """All tensors together at that moment."""
        return (
            self.weights_bytes
            + self.gradients_bytes
            + self.optimizer_bytes
            + self.activations_bytes
            + self.logits_bytes
            + self.temporary_bytes
        )


class TimedPass(Boundary):
    """A pass of answering that is timed: `rows` answers, a token of each.

    Prompt and answer have `shortest` to `longest` tokens, evenly, as where a finished answer's
    place is taken by the next prompt.
    """

    rows: Annotated[int, Field(ge=1)]
    shortest: Annotated[int, Field(ge=0)]
    longest: Annotated[int, Field(ge=1)]


class WorkTimes(Boundary):
    """What the whole model takes of a processor, in seconds of one thread.

    `training_tokens_per_second`: of a step, forward, backward and update. `pass_seconds`: of each
    pass that was asked for. Layers beyond those that were timed are extended by a line.
    """

    training_tokens_per_second: Annotated[float, Field(gt=0)]
    pass_seconds: tuple[Annotated[float, Field(ge=0)], ...]


class PredictionFile(Boundary):
    """The answer to a predict job.

    `layers_traced` are the depths of the models that were traced; where they are not the model's
    own, its figures are extended from them by a line. `generation_bytes` is the peak of generating
    at an evaluation's shape, 0 where none was asked for. `process_bytes` is what the predicting
    process held resident once its libraries were loaded, which a CPU's budget also has to hold.
    `attention` is what was assumed to compute attention. `times` are those of this processor,
    None where none were asked for, or a model of so few layers is too large to be timed.
    `traced_with` are the libraries that traced it beforehand, empty where it was traced now.
    """

    target: DeviceKind
    parameters: int
    layers: int
    layers_traced: tuple[int, ...]
    supervised_share: float
    peaks: tuple[PredictedPeak, ...]
    generation_bytes: int
    process_bytes: int
    seconds: float
    attention: Attention = Attention.FUSED
    times: WorkTimes | None = None
    traced_with: str = ""
