"""What a run would work with where no probe was made: a predicted fit, at an assumed rate."""

import time
from dataclasses import dataclass

from autotune.base.errors import NothingFits
from autotune.base.sizes import show_size
from autotune.data.survey import Survey
from autotune.fit.all_data import whole_rounds
from autotune.fit.guess import prediction
from autotune.fit.probe import Probe
from autotune.fit.rate import Rate, assumed_rate
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Fit, Measurement, TrialOutcome, Verdict
from autotune.run.session import Session
from autotune.run.setup import Setup


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A fit that nobody tried, and the rate that its times are made of; None where that is unknown.

    `predicted` is whether memory had a part in it; else the longest length was taken.
    """

    fit: Fit
    rate: Rate | None
    predicted: bool


def unmeasured_fit(
    session: Session, setup: Setup, survey: Survey, slowdown: float = 1.0
) -> Unmeasured:
    """The longest length that is predicted to fit one row at a time, and times by a rate.

    Raises:
        BadInput: no length keeps a supervised token.
        NothingFits: not even the shortest length is predicted to fit.
    """
    grid = Probe(session, setup, survey).grid()
    recomputes = setup.profile.probe.gradient_checkpointing

    def point(length: int) -> TrialPoint:
        return TrialPoint(
            model_max_length=length,
            max_rounds=whole_rounds(survey, length, setup.profile.probe.max_rounds),
            micro_batch_tokens=length,
            gradient_checkpointing=recomputes,
            row_tokens=length,
        )

    begun = time.perf_counter()
    found = prediction(session, setup, [point(length) for length in grid])
    # What the predicting worker took beside its work is what any worker takes to start.
    start = time.perf_counter() - begun - found.seconds if found is not None else 0.0
    length, peak, rate = grid[-1], None, None
    if found is not None:
        fitting = {p.row_tokens: n for p, n in found.needed.items() if setup.budget.holds(n)}
        if not fitting:
            least = min(found.needed.values())
            raise NothingFits(
                f"budget {show_size(setup.budget.limit_bytes)}: {grid[0]} tokens are predicted to"
                f" need {show_size(least)}; raise --vram-budget, or take a smaller model"
            )
        length = max(fitting)
        peak = fitting[length]
        rate = assumed_rate(
            setup.device,
            found.parameters,
            rows=setup.evaluation_rows,
            gradient_checkpointing=recomputes,
            slowdown=slowdown,
        )
    at = point(length)
    assert isinstance(at.max_rounds, int)
    measured = _as_measured(setup, rate, peak or 0)
    fit = Fit.from_parts(
        at,
        budget_bytes=setup.budget.limit_bytes,
        peak_bytes=peak or 0,
        tokens_per_second=rate.tokens_per_second if rate else 1.0,
        trials=(
            TrialOutcome(
                point=at,
                verdict=Verdict.FITS,
                reason="",
                seconds=max(0.0, start) + measured.prefill_seconds,
                measurement=measured,
            ),
        ),
        strategies={},
        fingerprint={},
        predicted_peak_bytes=peak,
    )
    return Unmeasured(fit, rate, found is not None)


def _as_measured(setup: Setup, rate: Rate | None, peak_bytes: int) -> Measurement:
    """What a trial at this rate would have measured. Reading prompts is a step's forward pass."""
    forward = 1 / 3
    return Measurement(
        steps=1,
        peak_bytes=peak_bytes,
        allocated_bytes=peak_bytes,
        step_seconds=(),
        supervised_tokens=0,
        tokens=0,
        allocator_retries=0,
        finite=True,
        prefill_seconds=setup.prefill_tokens / rate.tokens_per_second * forward if rate else 0.0,
        token_seconds=rate.token_seconds if rate else 0.0,
    )
