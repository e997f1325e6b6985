"""The predict job: the memory of the very step that trains, without a device and without weights.

A step's memory is linear in layers and in tokens of a micro-batch, moment by moment. So models of
two depths and micro-batches of two sizes are traced, every moment is extended by a line of its own,
and the fullest moment at a point is the answer.
"""

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from autotune.base.files import write_text_atomic
from autotune.base.library_memory import library_bytes
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
from autotune.protocol.step_lines import UPDATE, Moment, StepLines, peak_of
from autotune.worker.channel import Pipe
from autotune.worker.device_kinds import KINDS
from autotune.worker.predict.memory_tracker import Counts, Part
from autotune.worker.predict.timing import MOST_PARAMETERS, work_times
from autotune.worker.predict.trace import FakeStep, Shape, read_config
from autotune.worker.train.head import CHUNK_TOKENS

DEPTHS = (2, 4)
"""Layers of the models that are traced for a deeper one: with two there is a first and a last."""

TRACED_CHUNKS = (3, 4)
"""Chunks of the loss in the traced micro-batches. With three, the sums of gradients between chunks
are all there. What is predicted for less than a chunk is a little high."""

DECIMALS = 6
"""Of bytes a token, to which lines are rounded: what the fit of a line leaves beyond them is noise,
and of a million tokens it is a byte."""


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
        self._lines: StepLines | None = None

    def peak(self, point: PredictPoint) -> PredictedPeak:
        """The fullest moment of a step at a point, from the lines."""
        return self.lines().peak(point, self.library_bytes)

    def lines(self) -> StepLines:
        """Every moment that may be the fullest as a line, from a few traces, made once.

        Parts of two sizes are described moment by moment: from their begin in the first half, from
        their end in the second. What lies between in a larger one repeats what is there.
        """
        if self._lines is None:
            ways = {way: self.moments(matrix, parts) for way, matrix, parts in self.traces()}
            self._lines = StepLines(
                parameters=self.parameters,
                layers=self.layers,
                layers_traced=self.depths,
                biased=self.step.biased,
                attention=self.attention,
                moments=ways[False],
                recomputing=ways[True],
            )
        return self._lines

    def traces(self) -> Iterator[tuple[bool, Counts, list[list[Part]]]]:
        """By gradient checkpointing: the features of what was traced, and its parts."""
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
        for way in (False, True):
            yield way, matrix, [trace[way] for trace in traces]

    def moments(self, matrix: Counts, traces: Sequence[Sequence[Part]]) -> tuple[Moment, ...]:
        """The moments of these traces that may be the fullest, extended to the model's depth."""
        phases, factors = lines_through(matrix, traces)
        of_a_layer = len(factors) // 2
        whole = np.round(factors[:of_a_layer] + self.layers * factors[of_a_layer:], DECIMALS)
        return tuple(
            Moment(
                phase=phases[at],
                bytes_by_feature=tuple(tuple(map(float, row + 0.0)) for row in whole[:, at]),
            )
            for at in ever_fullest(phases, whole)
        )

    def traced(self, point: PredictPoint) -> PredictedPeak:
        """The fullest moment of a step at a point, from a trace of the whole model at that size."""
        shape = Shape(self.layers, point.rows, point.tokens)
        way = point.gradient_checkpointing
        parts = self.step.traces([shape], [way])[0][way]
        counts = [(part.phase, list(map(float, each))) for part in parts for each in part.counts]
        return peak_of(point, counts, self.library_bytes)

    @property
    def library_bytes(self) -> int:
        """What libraries keep beside tensors there, known once something was traced."""
        takes = KINDS[self.target].has_workspaces
        return library_bytes(self.capability, self.step.biased) if takes else 0

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


def lines_through(
    matrix: Counts, traces: Sequence[Sequence[Part]]
) -> tuple[tuple[str, ...], Counts]:
    """The lines that give these traces at the features in `matrix`: (traces, features).

    Returns:
        The phase of every moment, and bytes: (features, moments, kinds).
    """
    phases: list[str] = []
    rows: list[Counts] = []
    for parts in zip(*traces, strict=True):
        same = aligned(parts)
        phases += [parts[0].phase] * same.shape[1]
        rows.append(same)
    counts = np.concatenate(rows, axis=1)
    flat = np.linalg.lstsq(matrix, counts.reshape(len(counts), -1), rcond=None)[0]
    return tuple(phases), flat.reshape(matrix.shape[1], *counts.shape[1:])


def ever_fullest(phases: Sequence[str], factors: Counts) -> list[int]:
    """The moments that may be the fullest of a step, or of its update, at some features.

    One that another exceeds in every feature never is: features are not negative. Of equal ones the
    first stands for all.
    """
    totals = np.round(factors.sum(axis=2).T, DECIMALS - 1)
    found: set[int] = set()
    for part in (range(len(phases)), [at for at, phase in enumerate(phases) if phase == UPDATE]):
        of_part = list(part)
        for at in of_part:
            others = totals[of_part]
            as_full = (others >= totals[at]).all(axis=1)
            fuller = as_full & (others > totals[at]).any(axis=1)
            same = as_full & ~fuller
            if not fuller.any() and of_part[int(same.argmax())] == at:
                found.add(at)
    return sorted(found)


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
