"""What the probe is given beforehand: a first guess, and the peak of what it will accept."""

from collections.abc import Sequence
from dataclasses import dataclass

from autotune.base.errors import AutotuneError
from autotune.fit.allowance import Allowance, card_allowance
from autotune.fit.forecast import Needs, predict_job, predicted
from autotune.protocol.device_kind import has_own_memory
from autotune.protocol.plan import TrialPoint
from autotune.protocol.prediction import PredictPoint, TimedPass, WorkTimes
from autotune.run.session import Session
from autotune.run.setup import Setup

CPU_SLACK = 0.15
"""The same of a CPU's allocator and libraries: two trials of SmolLM2-135M on Linux with torch 2.13
held 9 % and 22 % more than their tensors and the bare process."""

FEW_LENGTHS = 4
"""Lengths that a probe tries faster than a worker is started to predict them."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Bytes that a trial at each point would measure as its peak, and the model's parameters.

    `seconds` is what predicting took the worker, without its start; `times` those of the passes
    that were to be timed, None where none were.
    """

    needed: dict[TrialPoint, int]
    parameters: int
    seconds: float
    times: WorkTimes | None = None


def prediction(
    session: Session,
    setup: Setup,
    asked: Sequence[TrialPoint],
    timed_passes: tuple[TimedPass, ...] = (),
) -> Prediction | None:
    """What a trial at each point would measure as its peak; None where it is unknown.

    The prediction is for the setup's own device: on a card the context and slack that are assumed
    come on top of the tensors, on a CPU what the predicting worker itself held.
    """
    shapes = {
        point: PredictPoint(
            rows=max(1, point.micro_batch_tokens // point.row_tokens),
            tokens=point.row_tokens,
            gradient_checkpointing=point.gradient_checkpointing,
        )
        for point in asked
    }
    folder = session.rundir.work_folder("predict")
    kind = setup.device.kind
    try:
        found = predicted(
            session.runner,
            predict_job(
                kind,
                setup.device_spec.precision,
                setup.model_folder,
                list(dict.fromkeys(shapes.values())),
                folder,
                generate_rows=setup.evaluation_rows,
                generate_context=min(setup.evaluation_context, setup.max_position_embeddings),
                prefill_tokens=setup.prefill_tokens,
                attention=setup.attention,
                capability=setup.device.capability,
                timed_passes=timed_passes,
            ),
            folder,
        )
    except (AutotuneError, OSError, ValueError):
        return None  # a model whose step cannot be traced is probed without a guess
    cpu = Allowance(found.process_bytes, CPU_SLACK)
    allowance = card_allowance(found.attention) if has_own_memory(kind) else cpu
    needs = Needs(found, allowance, setup.budget)
    peaks = {
        point: needs.planned(shape).needed_bytes
        for point, shape in shapes.items()
        if shape in needs.peaks
    }
    return Prediction(peaks, found.parameters, found.seconds, found.times)


@dataclass
class InitialGuess:
    """What the probe is given beforehand: a first guess, and the peak of what it accepts.

    Everything is predicted at once, at the first question. A search over no more than
    `FEW_LENGTHS` is over sooner than a prediction, and gets none.
    """

    session: Session
    setup: Setup

    def __post_init__(self) -> None:
        self.peaks: dict[int, int] = {}

    def guess(self, grid: Sequence[int]) -> int | None:
        """The longest length of the grid that is predicted to fit, one row at a time.

        The shortest of the grid where none is; None where it cannot be predicted, and on a device
        of a kind whose peaks are predicted too roughly.
        """
        if len(grid) <= FEW_LENGTHS:
            return None
        asked = [
            TrialPoint(
                model_max_length=length,
                max_rounds="all",
                micro_batch_tokens=length,
                gradient_checkpointing=self.setup.profile.probe.gradient_checkpointing,
                row_tokens=length,
            )
            for length in grid
        ]
        found = prediction(self.session, self.setup, asked)
        needed = {} if found is None else found.needed
        self.peaks = {point.row_tokens: size for point, size in needed.items()}
        if not self.peaks or not self.setup.device.traits.guesses:
            return None
        fitting = (n for n, size in self.peaks.items() if self.setup.budget.holds(size))
        return max(fitting, default=grid[0])

    def peak_of(self, point: TrialPoint) -> int | None:
        """The predicted peak of a point that was on the grid, in bytes."""
        return self.peaks.get(point.micro_batch_tokens)
