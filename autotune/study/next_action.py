"""The one question that a study answers: what next? `next_action` is pure; nothing here runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from autotune.base.format import percent
from autotune.protocol import events
from autotune.protocol.plan import Strategy
from autotune.protocol.result_text import limits_text
from autotune.protocol.results import Checkpoint
from autotune.run.state import StudyState, TrialState


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


@dataclass(frozen=True, slots=True)
class Stop:
    """The study is over."""

    met: bool
    reason: str


NextAction = Train | Evaluate | Average | EndTrial | Escalate | Stop


def next_action(state: StudyState, strategies: Sequence[Strategy], target: float) -> NextAction:
    """What to do next. `strategies` are those that will be tried, in order of escalation."""
    trial = state.current
    if trial is not None:
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
    best = state.best
    if best is not None and best.met:
        name = state.trials[best.number].plan.strategy
        return Stop(True, f"strategy {name} scores {worth(best)}")
    names = [s.name for s in strategies]
    current = state.strategy if state.strategy in names else names[0]
    done = sum(t.plan.strategy == current and t.repeats is None for t in state.trials)
    if done < strategies[names.index(current)].n_trials:
        return Train(current, first=done == 0)
    if current != names[-1]:
        found = (e for t in state.trials if (e := t.best_scored))
        reached = max(found, key=attrgetter("rank"), default=None)
        return Escalate(current, names[names.index(current) + 1], shortfall(reached, target))
    return Stop(False, f"every strategy tried; {shortfall(state.best, target)}")


def checkpoint_to_rejudge(trial: TrialState, target: float) -> Checkpoint | None:
    """A checkpoint that was stopped because of a target that has been lowered since, if any."""
    for e in trial.evaluations.values():
        if e.partial is not None and e.partial.was_stopped_above(target):
            return e.checkpoint
    return None


def worth(best: events.Evaluated) -> str:
    """A score, and what it counts for where that is less: `37.5 %, which counts for 14.3 %`."""
    score = best.score.accuracy if best.score is not None else 0.0
    if best.counts is None or best.counts >= score:
        return percent(score)
    return f"{percent(score)}, which counts for {percent(best.counts)}"


def shortfall(best: events.Evaluated | None, target: float) -> str:
    """Why the target is not met, in words."""
    if best is None or best.score is None:
        return "no checkpoint has a valid score"
    score = best.score.accuracy
    if score < target:
        return f"best {percent(score)} is below the target of {percent(target)}"
    if best.counts is not None and best.counts < target:
        return f"best {percent(score)} counts for {percent(best.counts)}: too little is following"
    return f"best {percent(score)} is not a success: {limits_text(best.lacks)}"
