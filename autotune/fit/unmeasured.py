"""What a run would work with where no probe was made: a predicted fit, at an assumed rate."""

import time
from dataclasses import dataclass, replace

import psutil

from autotune.base.errors import NothingFits
from autotune.base.sizes import show_size
from autotune.config.own_data import practising
from autotune.data.survey import Survey
from autotune.fit.all_data import whole_rounds
from autotune.fit.guess import Prediction, prediction
from autotune.fit.likely import prompt_tokens
from autotune.fit.practice_time import practice_rows
from autotune.fit.probe import Probe
from autotune.fit.rate import RECOMPUTED, Rate, assumed_rate, thread_gain, timed_rate
from autotune.protocol.plan import TrialPoint
from autotune.protocol.prediction import TimedPass
from autotune.protocol.results import Fit, Measurement, TrialOutcome, Verdict
from autotune.run.session import Session
from autotune.run.setup import Setup


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A fit that nobody tried, and the rate that its times are made of; None where that is unknown.

    `predicted` is whether memory had a part in it; else the longest length was taken.
    `practice_token_seconds` is a token more of a batch of answers for practice, None where no pass
    of them was timed.
    """

    fit: Fit
    rate: Rate | None
    predicted: bool
    practice_token_seconds: float | None = None


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
    # Without instructions for it, the smallest step would take minutes.
    passes = timed_passes(setup) if slowdown == 1.0 and not setup.device.traits.is_card else ()
    found = prediction(session, setup, [point(length) for length in grid], passes)
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
        rate = rate_of(setup, found, slowdown)
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
    answering = found.times.pass_seconds[1:] if found is not None and found.times else ()
    practice = answering[0] / thread_gain(threads_of(setup)) if answering else None
    return Unmeasured(fit, rate, found is not None, practice)


def rate_of(setup: Setup, found: Prediction, slowdown: float) -> Rate | None:
    """By what was timed of the model on this CPU; else by arithmetic."""
    recomputes = setup.profile.probe.gradient_checkpointing
    if found.times is None:
        return assumed_rate(
            setup.device,
            found.parameters,
            rows=setup.evaluation_rows,
            gradient_checkpointing=recomputes,
            slowdown=slowdown,
        )
    rate = timed_rate(found.times, threads_of(setup), setup.device_spec.precision)
    if not recomputes:
        return rate
    return replace(rate, tokens_per_second=rate.tokens_per_second / RECOMPUTED)


def threads_of(setup: Setup) -> int:
    """What torch computes with: what the profile says, else a thread a core."""
    return setup.device_spec.threads or psutil.cpu_count(logical=False) or 1


def timed_passes(setup: Setup) -> tuple[TimedPass, ...]:
    """An evaluation's average pass, and one of answering for practice where that is to be done."""
    profile = setup.profile
    begin = max(1, int(prompt_tokens(setup)))

    def each(rows: int, cap: int) -> TimedPass:
        # A finished answer's place is taken at once, so answers of all ages stand beside each
        # other, and most of them are such as run to the cap.
        return TimedPass(rows=rows, shortest=begin, longest=begin + cap)

    scored = each(setup.evaluation_rows, profile.evaluate.max_new_tokens)
    if not practising(profile):
        return (scored,)
    rows = practice_rows(setup, profile.synth.answers)
    return scored, each(rows, profile.synth.max_new_tokens)


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
