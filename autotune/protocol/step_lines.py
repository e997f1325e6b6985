"""A training step's memory at any micro-batch, as lines: what a trace comes to in the end.

Every moment of a step is linear in the features of its micro-batch, `features`. Most moments are
never the fullest, whatever the micro-batch is, and are left out; with the others every point is
answered without a trace.
"""

from collections.abc import Sequence

from autotune.base.model import Boundary
from autotune.protocol.choices import Attention
from autotune.protocol.prediction import PredictedPeak, PredictPoint

UPDATE = "optimizer"
"""The phase of clip and update."""


class Moment(Boundary):
    """One moment of a step: its phase, and bytes by feature and by what a storage holds.

    `bytes_by_feature` has a row a feature, in each: weights, gradients, optimizer, activations,
    logits, temporary.
    """

    phase: str
    bytes_by_feature: tuple[tuple[float, ...], ...]

    def at(self, features: Sequence[float]) -> tuple[float, ...]:
        """Bytes of each at these features."""
        rows = zip(features, self.bytes_by_feature, strict=True)
        scaled = [[feature * each for each in row] for feature, row in rows]
        return tuple(sum(column) for column in zip(*scaled, strict=True))


class StepLines(Boundary):
    """The moments of one model's step that may be its fullest, or the fullest of its update.

    `layers_traced` are the depths of the models that were traced. `biased` is whether some linear
    layer has a bias. `moments` are without gradient checkpointing, `recomputing` with it.
    """

    parameters: int
    layers: int
    layers_traced: tuple[int, ...]
    biased: bool
    attention: Attention
    moments: tuple[Moment, ...]
    recomputing: tuple[Moment, ...]

    def peak(self, point: PredictPoint, library_bytes: int) -> PredictedPeak:
        """The fullest moment of a step at a point, with what libraries keep beside tensors."""
        shape = features(point.rows, point.tokens, self.attention)
        moments = self.recomputing if point.gradient_checkpointing else self.moments
        return peak_of(point, [(each.phase, each.at(shape)) for each in moments], library_bytes)


def features(rows: int, tokens: int, attention: Attention) -> list[float]:
    """What memory is linear in; plain mathematics also holds T x T numbers a row."""
    micro_batch = rows * tokens
    found = [1.0, float(micro_batch)]
    return [*found, float(micro_batch * tokens)] if attention is Attention.MATH else found


def peak_of(
    point: PredictPoint, moments: Sequence[tuple[str, Sequence[float]]], library_bytes: int
) -> PredictedPeak:
    """The fullest of these moments, each with its phase and its bytes by kind."""
    phase, fullest = max(moments, key=lambda moment: sum(moment[1]))
    weights, gradients, optimizer, activations, logits, temporary = (
        max(0, round(part)) for part in fullest
    )
    update = max(sum(counts) for phase, counts in moments if phase == UPDATE)
    return PredictedPeak(
        point=point,
        weights_bytes=weights,
        gradients_bytes=gradients,
        optimizer_bytes=optimizer,
        activations_bytes=activations,
        logits_bytes=logits,
        temporary_bytes=temporary + library_bytes,
        peak_phase=phase,
        optimizer_step_bytes=round(update) + library_bytes,
    )
