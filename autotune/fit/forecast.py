"""What would fit, predicted without running it: for a card that is not there, or as a first guess.

A prediction counts tensors. What a process takes beside them is allowed for here, and each
allowance is an assumption that a real probe replaces by measurement.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from autotune.device.budget import Budget
from autotune.device.kinds import PLANNED
from autotune.fit.allowance import Allowance, card_allowance
from autotune.fit.kept_prediction import kept_prediction
from autotune.fit.planned_card import PlannedCard
from autotune.launch import TrialRunner
from autotune.launch.worker_errors import worker_error
from autotune.protocol.choices import Attention, Precision
from autotune.protocol.device_kind import DeviceKind
from autotune.protocol.job import PredictJob, on_the_computer
from autotune.protocol.plan import Strategy
from autotune.protocol.prediction import (
    Capability,
    PredictedPeak,
    PredictionFile,
    PredictPoint,
    TimedPass,
)
from autotune.run.setup import SILENCE_SECONDS

MICRO_BATCH_SIZES = (1, 2, 4, 8, 16)
"""Rows of a micro-batch in the table of a plan."""

SHORTEST = 256
"""Tokens of the shortest rows in the table of a plan; the others double."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A point of the plan: its predicted peak, what the budget would have to hold, if it fits."""

    peak: PredictedPeak
    needed_bytes: int
    fits: bool


@dataclass(frozen=True, slots=True)
class StrategyForecast:
    """What is predicted for a strategy: its length, and the most rows at a time within its batch.

    `rows` is without gradient checkpointing, `rows_checkpointing` with it; 0 where not even one
    row fits. Every row is taken to be as long as the length allows.
    """

    name: str
    model_max_length: int
    batch_size: int
    rows: int
    rows_checkpointing: int

    @property
    def fits(self) -> bool:
        """Whether one row at a time fits in some way."""
        return max(self.rows, self.rows_checkpointing) > 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """The plan for a card. Every figure in it is an estimate.

    `model_max_length` is the longest length of the grid whose rows fit one at a time, None where
    none does; `rows` is how many of that length fit at a time. Both with gradient checkpointing.
    """

    card: PlannedCard
    prediction: PredictionFile
    allowance: Allowance
    table: tuple[Planned, ...]
    model_max_length: int | None
    rows: int
    strategies: tuple[StrategyForecast, ...]


def forecast(
    runner: TrialRunner,
    folder: Path,
    model_folder: Path,
    card: PlannedCard,
    *,
    lengths: Sequence[int],
    strategies: Sequence[Strategy],
    attention: Attention = Attention.FUSED,
    tracing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Forecast:
    """Plan the training of a model on a card.

    Args:
        runner: what does the predict job.
        folder: where the job's files may go.
        model_folder: holds the model's config.json; needs no weights.
        card: what may be used of it, and how it computes.
        lengths: tokens, the grid on which the longest length is looked for, rising.
        strategies: what is requested.
        attention: what is assumed to compute attention on that card.
        tracing: says that steps are traced now, which takes a while, for as long as it takes.

    Raises:
        BadInput: the model's configuration cannot be used.
        EnvironmentFault: the worker failed.
    """
    longest = lengths[-1]
    ticks = [n for k in range(20) if (n := SHORTEST << k) <= longest] or [longest]
    most = max(s.batch_size for s in strategies)
    requested = {
        s.name: longest if s.model_max_length == "fits" else s.model_max_length for s in strategies
    }
    table = points(ticks, MICRO_BATCH_SIZES)
    asked = {
        *table,
        *points(lengths, MICRO_BATCH_SIZES),
        *points({*requested.values()}, range(1, most + 1)),
    }
    job = predict_job(
        PLANNED,
        card.precision,
        model_folder,
        sorted(asked, key=repr),
        folder,
        attention=attention,
        capability=card.capability,
    )

    def traced() -> PredictionFile:
        with tracing():
            return predicted(runner, job, folder)

    found = kept_prediction(job, traced)
    needs = Needs(found, card_allowance(attention), card.budget)
    length = max((n for n in lengths if needs.most_rows(n, 1, True)), default=None)
    rows = needs.most_rows(length, most, True) if length else 0
    if length:
        answer = PredictPoint(rows=rows, tokens=length, gradient_checkpointing=True)
        table = sorted({*table, answer}, key=lambda p: (p.tokens, p.rows, p.gradient_checkpointing))
    return Forecast(
        card=card,
        prediction=found,
        allowance=needs.allowance,
        table=tuple(needs.planned(point) for point in table),
        model_max_length=length,
        rows=rows,
        strategies=tuple(
            StrategyForecast(
                name=s.name,
                model_max_length=requested[s.name],
                batch_size=s.batch_size,
                rows=needs.most_rows(requested[s.name], s.batch_size, False),
                rows_checkpointing=needs.most_rows(requested[s.name], s.batch_size, True),
            )
            for s in strategies
        ),
    )


class Needs:
    """Predicted peaks by point, held against a budget."""

    def __init__(self, found: PredictionFile, allowance: Allowance, budget: Budget) -> None:
        self.allowance = allowance
        self.budget = budget
        self.generation_bytes = found.generation_bytes
        self.peaks = {peak.point: peak for peak in found.peaks}

    def planned(self, point: PredictPoint) -> Planned:
        """A point with what it needs; generating between the steps is one of its moments."""
        peak = self.peaks[point]
        needed = self.allowance.needed_bytes(max(peak.peak_bytes, self.generation_bytes))
        return Planned(peak, needed, self.budget.holds(needed))

    def most_rows(self, tokens: int, most: int, gradient_checkpointing: bool) -> int:
        """The most rows of so many tokens that fit at a time, 0 where one row does not."""
        fitting = [
            point.rows
            for point in self.peaks
            if point.tokens == tokens
            and point.rows <= most
            and point.gradient_checkpointing == gradient_checkpointing
            and self.planned(point).fits
        ]
        return max(fitting, default=0)


def points(lengths: Iterable[int], rows: Iterable[int]) -> list[PredictPoint]:
    """Every length with every number of rows, without and with gradient checkpointing."""
    return [
        PredictPoint(rows=r, tokens=t, gradient_checkpointing=c)
        for t, r, c in itertools.product(lengths, rows, (False, True))
    ]


def predict_job(
    target: DeviceKind,
    precision: Precision,
    model_folder: Path,
    asked: Sequence[PredictPoint],
    folder: Path,
    generate_rows: int = 0,
    generate_context: int = 0,
    prefill_tokens: int = 4096,
    attention: Attention = Attention.FUSED,
    capability: Capability | None = None,
    timed_passes: tuple[TimedPass, ...] = (),
) -> PredictJob:
    """A job that predicts these points, and times these passes."""
    return PredictJob(
        device=on_the_computer(),
        target=target,
        precision=precision,
        model_folder=str(model_folder),
        points=tuple(asked),
        out=str(folder / "prediction.json"),
        generate_rows=generate_rows,
        generate_context=generate_context,
        prefill_tokens=prefill_tokens,
        attention=attention,
        capability=capability,
        timed_passes=timed_passes,
    )


def predicted(runner: TrialRunner, job: PredictJob, folder: Path) -> PredictionFile:
    """Have a worker predict.

    Raises:
        BadInput: the model's configuration cannot be used.
        EnvironmentFault: the worker failed.
    """
    result = runner.run(job, folder, lambda _: None, silence_seconds=SILENCE_SECONDS)
    if result.failure is not None:
        raise worker_error(result, f"prediction for {job.model_folder}", folder)
    return PredictionFile.model_validate_json(Path(job.out).read_bytes())
