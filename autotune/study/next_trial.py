"""Which trial comes next, once the one before is over. Pure: it sees summaries and runs nothing.

The stage is derived from the trials that there are, never kept beside them, so that many machines
that share a study agree on it, and so does a run that is resumed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autotune.base.format import counted, duration, percent, percents_apart
from autotune.protocol.result_text import limits_text
from autotune.run.trial_summary import TrialSummary


@dataclass(frozen=True, slots=True)
class Stage:
    """Trials that share a name: a strategy's, or the search's (`n_trials` None: while it may)."""

    name: str
    n_trials: int | None = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """When a study ends although its stages go on. `seconds_left` None: no limit."""

    target: float
    stop_at_target: bool = True
    max_trials: int | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a trial of a stage; the first of a strategy has its exact values."""

    stage: str
    first: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to begin before a trial that another worker is at has ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The study is over."""

    met: bool
    reason: str


NextTrial = Begin | Wait | Stop


def next_trial(
    trials: Sequence[TrialSummary],
    stages: Sequence[Stage],
    limits: Limits,
    expected: Callable[[str], float] = lambda _: 0.0,
    *,
    overlap: bool = False,
) -> NextTrial:
    """The next trial of a study, or why there is none.

    Args:
        trials: all that were begun, those of other workers too.
        stages: in order of escalation.
        limits: when to end.
        expected: seconds that a trial of a stage takes at least; asked only where time is limited.
        overlap: begin the next stage while trials of the one before are still running, which may
            turn out not to be needed.
    """
    met, chosen = best_if_met(trials), [t for t in trials if not t.repeats]
    if limits.stop_at_target and met is not None:
        return Stop(True, f"strategy {met.stage} scores {worth(met)}")
    stage = next((s for s in stages if has_trials_left(s, chosen)), None)
    if stage is None:
        return _after_all(trials, limits, "every strategy tried")
    if limits.max_trials is not None and len(chosen) >= limits.max_trials:
        return _after_all(trials, limits, f"{counted(limits.max_trials, 'trial')} made, as limited")
    earlier = {s.name for s in stages[: stages.index(stage)]}
    running = [t for t in trials if t.stage in earlier and not t.is_over]
    if running and not overlap and any(may_meet(t, limits.target) for t in running):
        return Wait(f"strategy {running[0].stage} may still meet the target")
    if trials and limits.seconds_left is not None:
        needed = expected(stage.name)
        if needed > limits.seconds_left:
            left = duration(max(0.0, limits.seconds_left))
            reason = f"a trial of {stage.name} takes about {duration(needed)}, {left} are left"
            return _after_all(trials, limits, reason)
    return Begin(stage.name, first=not any(t.stage == stage.name for t in chosen))


def has_trials_left(stage: Stage, trials: Sequence[TrialSummary]) -> bool:
    """Whether fewer of a stage's trials were begun than it has."""
    done = sum(t.stage == stage.name for t in trials)
    return stage.n_trials is None or done < stage.n_trials


def may_meet(trial: TrialSummary, target: float) -> bool:
    """Whether a running trial may still end above the target.

    Only its last checkpoint is left for what is below it at 80 % and beyond; as long as nothing is
    known of it, it may.
    """
    return not trial.reports or max(trial.reports) < 100 or max(trial.reports.values()) >= target


def _after_all(trials: Sequence[TrialSummary], limits: Limits, why: str) -> NextTrial:
    """The end of a study that has no trial left to begin; others' running ones are waited for."""
    if any(not t.is_over for t in trials):
        return Wait("the last trials are running")
    best = best_of(trials)
    if best is not None and best.met:
        return Stop(True, f"strategy {best.stage} scores {worth(best)}; {why}")
    told = (why, shortfall(best, limits.target), *_more_that_counts_for_less(trials, best))
    return Stop(False, "; ".join(told))


def _more_that_counts_for_less(
    trials: Sequence[TrialSummary], best: TrialSummary | None
) -> tuple[str, ...]:
    """Why a trial with a higher score than the best one's is not it: one sentence, or none."""
    scored = [t for t in trials if t.score is not None and t.outcome == "COMPLETE"]
    most = max(scored, key=lambda t: t.score or 0.0, default=None)
    if best is None or most is None or (most.score or 0.0) <= (best.score or 0.0):
        return ()
    if most.lost or most.counts is None or most.counts >= (most.score or 0.0):
        return ()
    return (f"{most.stage} scores {worth(most)}: too little of it is following",)


def best_of(trials: Sequence[TrialSummary]) -> TrialSummary | None:
    """The best trial with a score: whole ones first, then by what it counts for, the earliest.

    One whose best weights are lost goes after all others.
    """
    scored = [t for t in trials if t.value is not None and t.score is not None]
    return max(scored, key=_rank, default=None)


def best_if_met(trials: Sequence[TrialSummary]) -> TrialSummary | None:
    """The best trial where it meets the target, which only the best can: it is what is kept.

    With a holdout another one may score more on the half that is reported; to end with that would
    be to choose by this half.
    """
    best = best_of(trials)
    return best if best is not None and best.met else None


def _rank(trial: TrialSummary) -> tuple[bool, bool, float]:
    value = trial.value if trial.left is None else trial.left
    return not trial.lost, trial.outcome == "COMPLETE", -1.0 if value is None else value


def worth(best: TrialSummary, score_text: str | None = None) -> str:
    """A score, and what it counts for where that is less: `37.5 %, which counts for 14.3 %`."""
    score = best.score or 0.0
    shown = percent(score) if score_text is None else score_text
    if best.counts is None or best.counts >= score:
        return shown
    return f"{shown}, which counts for {percent(best.counts)}"


def shortfall(best: TrialSummary | None, target: float) -> str:
    """Why the target is not met, in words."""
    if best is None or best.score is None:
        return "no checkpoint has a valid score"
    if best.score < target:
        comma = "," if best.counts is not None and best.counts < best.score else ""
        score, aim = percents_apart(best.score, target)
        return f"best {worth(best, score)}{comma} is below the target of {aim}"
    if best.counts is not None and best.counts < target:
        score, counts, _ = percents_apart(best.score, best.counts, target)
        return f"best {score} counts for {counts}: too little is following"
    return f"best {percent(best.score)} is not a success: {limits_text(best.lacks)}"
