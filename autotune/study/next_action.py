"""The one question that a study answers: what next? `next_action` is pure; nothing here runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autotune.protocol.results import Checkpoint
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState
from autotune.run.trial_summary import TrialSummary, summaries
from autotune.study.next_trial import (
    Begin,
    Limits,
    NextTrial,
    Stage,
    Stop,
    Wait,
    best_of,
    next_trial,
    shortfall,
)


@dataclass(frozen=True, slots=True)
class Train:
    """Train: a new trial of a strategy, or go on with the unfinished one (`resume`)."""

    strategy: str
    first: bool
    resume: TrialState | None = None


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Score this checkpoint of the unfinished trial; `full` finishes what was ended early."""

    trial: TrialState
    checkpoint: Checkpoint
    full: bool = False


@dataclass(frozen=True, slots=True)
class Average:
    """Make the mean of these checkpoints of the unfinished trial, one more to score."""

    trial: TrialState
    of: tuple[Checkpoint, ...]


@dataclass(frozen=True, slots=True)
class EndTrial:
    """Every checkpoint of the trial has its score, as far as it was trained: close it."""

    trial: TrialState


@dataclass(frozen=True, slots=True)
class Escalate:
    """Move on to the next strategy."""

    previous: str
    next: str
    reason: str


NextAction = Train | Evaluate | Average | EndTrial | Escalate | Wait | Stop


def next_action(
    state: StudyState,
    stages: Sequence[Stage],
    limits: Limits,
    expected: Callable[[str], float] = lambda _: 0.0,
) -> NextAction:
    """What to do next. `stages` are those that will be tried, in order of escalation.

    `expected` as in `next_trial`, which decides between trials.
    """
    if state.current is not None:
        return within_trial(state.current, limits.target)
    trials = summaries(state)
    found = next_trial(trials, stages, limits, expected)
    return between_trials(state, trials, found, stages, limits)


def between_trials(
    state: StudyState,
    trials: Sequence[TrialSummary],
    found: NextTrial,
    stages: Sequence[Stage],
    limits: Limits,
) -> Train | Escalate | Wait | Stop:
    """What a choice of the next trial means for this run: it says first where it escalates."""
    if not isinstance(found, Begin):
        return found
    before = state.strategy
    if before is not None and before != found.stage and before in {s.name for s in stages}:
        return Escalate(before, found.stage, shortfall(best_of(trials), limits.target))
    return Train(found.stage, first=found.first)


def within_trial(trial: TrialState, target: float) -> NextAction:
    """What is still to do for an unfinished trial."""
    if trial.is_training:
        return Train(trial.plan.strategy, first=False, resume=trial)
    if trial.unscored:
        return Evaluate(trial, trial.unscored[0])
    if trial.checkpoints_to_average:
        return Average(trial, tuple(trial.checkpoints_to_average))
    if (again := checkpoint_to_rejudge(trial, target)) is not None:
        return Evaluate(trial, again)
    if (unfinished := trial.to_finish(target)) is not None:
        return Evaluate(trial, unfinished.checkpoint, full=True)
    return EndTrial(trial)


def checkpoint_to_rejudge(trial: TrialState, target: float) -> Checkpoint | None:
    """A checkpoint that was stopped because of a target that has been lowered since, if any."""
    for e in trial.evaluations.values():
        if e.partial is not None and e.partial.was_stopped_above(target):
            return e.checkpoint
    return None
