"""The predict job: the memory of the very step that trains, without a device and without weights.

A step's memory is linear in layers and in tokens of a micro-batch, moment by moment. So models of
two depths and micro-batches of two sizes are traced, every moment is extended by a line of its own,
and the fullest moment at a point is the answer.
"""

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from autotune.base.files import write_text_atomic
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.device_kind import DeviceKind
from autotune.protocol.job import PredictJob
from autotune.protocol.prediction import (
    Capability,
    PredictedPeak,
    PredictionFile,
    PredictPoint,
    WorkTimes,
)
from autotune.worker.channel import Pipe
from autotune.worker.device_kinds import KINDS
from autotune.worker.predict.memory_tracker import Counts, Kind, Part
from autotune.worker.predict.timing import MOST_PARAMETERS, work_times
from autotune.worker.predict.trace import FakeStep, Shape, read_config
from autotune.worker.predict.workspaces import library_bytes
from autotune.worker.train.head import CHUNK_TOKENS

DEPTHS = (2, 4)
"""Layers of the models that are traced for a deeper one: with two there is a first and a last."""

TRACED_CHUNKS = (3, 4)
"""Chunks of the loss in the traced micro-batches. With three, the sums of gradients between chunks
are all there. What is predicted for less than a chunk is a little high."""


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of a step in order: the phase of each, and its counts (moments, kinds)."""

    phases: tuple[str, ...]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Lines:
    """The same with counts as a linear function of `Shape.features`: (features, moments, kinds)."""

    phases: tuple[str, ...]
    factors: Counts

    def at(self, features: Sequence[float]) -> Moments:
        """The moments at a shape of these features."""
        return Moments(self.phases, np.tensordot(np.array(features), self.factors, 1))


def predict(job: PredictJob, pipe: Pipe) -> None:
    """Predict every point and write the file."""
    begin = time.perf_counter()
    resident = psutil.Process().memory_info().rss
    pipe.enter("predicting")
    with indifferent_to_order():
        predictor = Predictor(
            read_config(Path(job.model_folder)),
            job.target,
            job.precision,
            job.supervised_share,
            job.attention,
            job.capability,
        )
        peaks = tuple(predictor.peak(point) for point in job.points)
        generation = (
            predictor.generation(job.generate_rows, job.generate_context, job.prefill_tokens)
            if job.generate_rows
            else 0
        )
        times = predictor.times(job) if job.timed_passes else None
    seconds = time.perf_counter() - begin
    found = PredictionFile(
        target=job.target,
        parameters=predictor.parameters,
        layers=predictor.layers,
        layers_traced=predictor.depths,
        supervised_share=job.supervised_share,
        peaks=peaks,
        generation_bytes=generation,
        process_bytes=resident,
        seconds=seconds,
        attention=job.attention,
        times=times,
    )
    write_text_atomic(Path(job.out), found.model_dump_json())


class Predictor:
    """Predicts steps of one model in one precision; traces only what it is asked about."""

    def __init__(
        self,
        config: Any,
        target: DeviceKind,
        precision: Precision,
        share: float,
        attention: Attention = Attention.FUSED,
        capability: Capability | None = None,
    ) -> None:
        self.target = target
        self.share = share
        self.attention = attention
        self.capability = capability
        self.layers = int(config.num_hidden_layers)
        kinds = set(getattr(config, "layer_types", None) or ())
        # Layers that differ among themselves follow no line.
        self.depths = DEPTHS if self.layers > max(DEPTHS) and len(kinds) < 2 else (self.layers,)
        self.step = FakeStep(config, target, precision, share, attention)
        self._lines: dict[bool, Lines] = {}

    def peak(self, point: PredictPoint) -> PredictedPeak:
        """The fullest moment of a step at a point, from the lines."""
        if not self._lines:
            self._lines = self.lines()
        shape = Shape(self.layers, point.rows, point.tokens)
        lines = self._lines[point.gradient_checkpointing]
        return self.described(point, lines.at(shape.features(self.attention)))

    def lines(self) -> dict[bool, Lines]:
        """Every moment as a line, without and with gradient checkpointing, from a few traces.

        Parts of two sizes are described moment by moment: from their begin in the first half, from
        their end in the second. What lies between in a larger one repeats what is there.
        """
        # Two rows: the few tensors that rows share count half, which is near enough for any.
        positions = [math.ceil(chunks * CHUNK_TOKENS / self.share) for chunks in TRACED_CHUNKS]
        sizes = [(2, -(-n // 2)) for n in positions]
        if self.attention is Attention.MATH:
            sizes.append((1, positions[-1]))  # as many tokens in a longer row
        shapes = [Shape(depth, *size) for depth in self.depths for size in sizes]
        matrix = np.array([shape.features(self.attention) for shape in shapes])
        if len(self.depths) == 1:
            # Nothing distinguishes layers from the rest here, and nothing needs to.
            matrix[:, matrix.shape[1] // 2 :] = 0.0
        traces = self.step.traces(shapes)
        return {
            checkpointing: lines_through(matrix, [trace[checkpointing] for trace in traces])
            for checkpointing in (False, True)
        }

    def traced(self, point: PredictPoint) -> PredictedPeak:
        """The fullest moment of a step at a point, from a trace of the whole model at that size."""
        shape = Shape(self.layers, point.rows, point.tokens)
        way = point.gradient_checkpointing
        parts = self.step.traces([shape], [way])[0][way]
        phases = [part.phase for part in parts for _ in part.counts]
        counts = np.array([count for part in parts for count in part.counts])
        return self.described(point, Moments(tuple(phases), counts))

    def described(self, point: PredictPoint, moments: Moments) -> PredictedPeak:
        """The fullest of these moments."""
        totals = moments.counts.sum(axis=1)
        fullest = int(totals.argmax())
        takes = KINDS[self.target].has_workspaces
        workspace = library_bytes(self.capability, self.step.biased) if takes else 0
        parts = [max(0, round(float(part))) for part in moments.counts[fullest]]
        update = totals[np.array(moments.phases) == "optimizer"].max()
        return PredictedPeak(
            point=point,
            weights_bytes=parts[Kind.WEIGHTS],
            gradients_bytes=parts[Kind.GRADIENTS],
            optimizer_bytes=parts[Kind.OPTIMIZER],
            activations_bytes=parts[Kind.ACTIVATIONS],
            logits_bytes=parts[Kind.LOGITS],
            temporary_bytes=parts[Kind.TEMPORARY] + workspace,
            peak_phase=moments.phases[fullest],
            optimizer_step_bytes=round(float(update)) + workspace,
        )

    def generation(self, rows: int, context: int, prefill_tokens: int) -> int:
        """Peak bytes of generating `rows` answers that take `context` tokens with their prompts.

        At most `prefill_tokens` tokens of prompts are read in a pass.
        """
        least, most = self.depths[0], self.depths[-1]
        begin = self.step.generation(least, rows, context, prefill_tokens)
        if least == most:
            return round(begin)
        slope = (self.step.generation(most, rows, context, prefill_tokens) - begin) / (most - least)
        return round(begin + slope * (self.layers - least))

    def times(self, job: PredictJob) -> WorkTimes | None:
        """What this processor takes for it, where the traced models are no great ones."""
        if max(self.step.sizes.values()) > MOST_PARAMETERS:
            return None
        return work_times(self.step.config, self.step.precision, job.timed_passes)

    @property
    def parameters(self) -> int:
        """Weights of the whole model, known once something was traced."""
        least, most = min(self.step.sizes), max(self.step.sizes)
        size, other = self.step.sizes[least], self.step.sizes[most]
        return size + (other - size) * (self.layers - least) // max(1, most - least)


def lines_through(matrix: Counts, traces: Sequence[Sequence[Part]]) -> Lines:
    """The lines that give these traces at the features in `matrix`: (traces, features)."""
    phases: list[str] = []
    rows: list[Counts] = []
    for parts in zip(*traces, strict=True):
        same = aligned(parts)
        phases += [parts[0].phase] * same.shape[1]
        rows.append(same)
    counts = np.concatenate(rows, axis=1)
    flat = np.linalg.lstsq(matrix, counts.reshape(len(counts), -1), rcond=None)[0]
    return Lines(tuple(phases), flat.reshape(matrix.shape[1], *counts.shape[1:]))


def aligned(parts: Sequence[Part]) -> Counts:
    """The same moments of each part: (parts, moments, kinds)."""
    half = min(len(part.counts) for part in parts) // 2
    return np.array([[*part.counts[:half], *part.counts[-half:]] for part in parts])


@contextlib.contextmanager
def indifferent_to_order() -> Iterator[None]:
    """A worker on a CPU asks for deterministic kernels, some of which take more memory."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
