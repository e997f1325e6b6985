"""How long a trial will take: the probe's speed, the untrained model's answers, earlier trials.

All of it is read off the record, so a run that resumes expects what it expected before.
"""

from collections.abc import Iterable
from statistics import median

from autotune.data.survey import Survey
from autotune.fit.estimate import computed_tokens, scoring_seconds
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.plan import TrainPlan
from autotune.protocol.results import Fit, Measurement, StrategyFit, Verdict
from autotune.run.setup import Setup
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState


def expected_seconds(
    state: StudyState, setup: Setup, fit: Fit, survey: Survey, plan: TrainPlan
) -> float:
    """Seconds that a trial of this plan is expected to take, training and scoring."""
    return estimated(state, setup, fit, survey, plan).seconds


def estimated(
    state: StudyState, setup: Setup, fit: Fit, survey: Survey, plan: TrainPlan
) -> TrialEstimate:
    """The expected time of a trial of this plan, in its parts.

    Training is a worker's start, and the tokens that the data keeps at the plan's length and
    rounds, in each epoch, at the speed that was measured for its micro-batching. Each checkpoint,
    and the average of some, answers all prompts, in a worker that starts as well.
    """
    kept = survey.of(plan.strategy).kept(plan.model_max_length, plan.max_rounds)
    tokens = computed_tokens(plan, kept.tokens)
    evaluations = len(plan.checkpoint_steps) + (plan.averaged > 0)
    each, at_most = evaluation_seconds(state, setup, fit)
    training, scoring = ratios(state.trials)
    return TrialEstimate(
        training_seconds=start_seconds(fit) + tokens / speed(plan, fit),
        scoring_seconds=evaluations * each,
        training_ratio=training,
        scoring_ratio=scoring,
        at_most=at_most,
    )


def speed(plan: TrainPlan, fit: Fit) -> float:
    """Tokens a second that were measured for a plan, padding not counted.

    Of its own strategy where that was timed, else of another strategy with the same micro-batching,
    else of the trial that what fits was found by.
    """
    own = fit.strategies.get(plan.strategy)
    alike = (
        found
        for found in (*([own] if own else []), *fit.strategies.values())
        if found.tokens_per_second is not None and _shape(found) == _shape(plan)
    )
    return next((f.tokens_per_second for f in alike if f.tokens_per_second), fit.tokens_per_second)


def _shape(found: StrategyFit | TrainPlan) -> tuple[int, bool, bool, bool]:
    return (
        found.micro_batch_tokens,
        found.gradient_checkpointing,
        found.packing,
        found.torch_compile,
    )


def evaluation_seconds(state: StudyState, setup: Setup, fit: Fit) -> tuple[float, bool]:
    """Seconds to answer all prompts once, and whether that is only what it takes at most.

    As long as the untrained model took, whose answers are the same prompts' on the same device.
    Before it has answered, or where its time is unknown, every answer runs to its cap.
    """
    untrained = state.baselines.get("untrained")
    if untrained is not None and untrained.seconds is not None:
        return untrained.seconds, False
    measurement = accepted_measurement(fit)
    most = 0.0 if measurement is None else scoring_seconds(setup, measurement)
    most += start_seconds(fit)
    if untrained is None or untrained.new_tokens is None:
        return most, True
    longest = untrained.score.total * setup.profile.evaluate.max_new_tokens
    return most * min(1.0, untrained.new_tokens / longest), False


def accepted_measurement(fit: Fit) -> Measurement | None:
    """What the trial measured that a fit was accepted by, if it is among its trials."""
    fitting = [t.measurement for t in fit.trials if t.verdict is Verdict.FITS and t.measurement]
    same = [m for m in fitting if m.peak_bytes == fit.peak_bytes]
    return next(iter([*reversed(same), *reversed(fitting)]), None)


def start_seconds(fit: Fit) -> float:
    """Seconds until a worker is ready: what trials of the probe took beside their steps.

    Of those in a process of their own the median; 0 where none was.
    """
    found = [
        trial.seconds
        - sum(m.step_seconds)
        - (m.timed.seconds if m.timed else 0)
        - m.prefill_seconds
        for trial in (*fit.trials, *fit.speed_trials)
        if (m := trial.measurement) is not None and m.fresh
    ]
    return max(0.0, median(found)) if found else 0.0


def ratios(trials: Iterable[TrialState]) -> tuple[float, float]:
    """What finished trials took of what was estimated, training and scoring: medians, else 1.

    A median, since one trial that a busy computer held up says nothing about the next.
    """
    whole = (t for t in trials if t.ended is not None and t.failure is None and t.pruned is None)
    over = [t for t in whole if t.expected]
    return (
        _median(
            (t.clock.training_seconds, t.expected.training_seconds) for t in over if t.expected
        ),
        _median((t.clock.scoring_seconds, t.expected.scoring_seconds) for t in over if t.expected),
    )


def _median(pairs: Iterable[tuple[float | None, float]]) -> float:
    found = [took / planned for took, planned in pairs if took is not None and planned > 0]
    return median(found) if found else 1.0


def strategy_seconds(
    state: StudyState, found: StrategyFit, evaluation: float | None = None
) -> TrialEstimate:
    """The expected time of a trial of a strategy by the record alone.

    `evaluation` is what the untrained model's answers take at their pace of now, in seconds without
    a worker's start, while they are made. Of a fit that an earlier version found only the sum is
    known, which is at most.
    """
    if found.training_seconds is None:
        return TrialEstimate(training_seconds=found.eta_seconds, scoring_seconds=0, at_most=True)
    training, scoring = ratios(state.trials)
    untrained = state.baselines.get("untrained")
    start = start_seconds(state.fit) if state.fit else 0.0
    known = untrained.seconds if untrained is not None else None
    if known is None and evaluation is not None:
        known = evaluation + start
    if known is not None:
        answering = known * found.evaluations
    else:
        answering = max(0.0, found.eta_seconds - found.training_seconds)
        answering += start * found.evaluations
    return TrialEstimate(
        training_seconds=found.training_seconds + start,
        scoring_seconds=answering,
        training_ratio=training,
        scoring_ratio=scoring,
        at_most=known is None,
    )
