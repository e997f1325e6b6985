"""A trial in short: what the choice of the next one, the sampler and Optuna's tools see of it.

It comes from this run's record, or from a storage that several machines share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from autotune.protocol import events
from autotune.protocol.space import SEARCHABLE, Value
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState

Outcome = Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL"]
"""Optuna's states of a trial. COMPLETE has a best checkpoint with its whole score, PRUNED was
stopped on its way and has what it reached by then, FAIL has nothing that could be scored."""


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """One trial of a study.

    `stage` is its strategy, or `search`. `point` are its values of the searchable keys as they were
    asked for. `value` is what the best checkpoint counts for, as the sampler is told; `score` and
    `counts` are that checkpoint's for a person, `lacks` what it lacks. `reports` are what each
    checkpoint counts for, by percent of its training. `attributes` are for people who look at it
    in Optuna's tools.

    Where the best checkpoint's weights are lost, `value` stays, and `left` is what the best one
    whose weights are there counts for, with its `score` and what belongs to it; where there is none
    the trial is `lost` and meets no target. With `repeats` it trains such a one again and is none
    of its stage's.
    """

    number: int
    stage: str
    point: Mapping[str, Value]
    outcome: Outcome
    value: float | None = None
    met: bool = False
    left: float | None = None
    lost: bool = False
    repeats: bool = False
    score: float | None = None
    counts: float | None = None
    lacks: tuple[str, ...] = ()
    reports: Mapping[int, float] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.outcome != "RUNNING"


def summaries(state: StudyState) -> Sequence[TrialSummary]:
    """The trials of a run, in the order in which they began."""
    return [summary_of(trial) for trial in state.trials]


def summary_of(trial: TrialState) -> TrialSummary:
    """A recorded trial in short."""
    best = trial.best or trial.best_scored
    lost = trial.best is None and best is not None
    return TrialSummary(
        number=trial.number,
        stage=trial.plan.strategy,
        point=point_of(trial),
        outcome=outcome_of(trial),
        value=value_of(trial),
        met=best is not None and best.met and not lost,
        left=trial.best.value if trial.best is not None and trial.lost else None,
        lost=lost,
        repeats=trial.repeats is not None,
        score=best.score.accuracy if best is not None and best.score is not None else None,
        counts=best.counts if best is not None else None,
        lacks=best.lacks if best is not None else (),
        reports=reports_of(trial),
        attributes=attributes_of(trial),
    )


def point_of(trial: TrialState) -> Mapping[str, Value]:
    """The searchable values of a trial as asked for; older records have them in the plan only."""
    return trial.point or {key: getattr(trial.plan, key) for key in SEARCHABLE}


def outcome_of(trial: TrialState) -> Outcome:
    """How a trial ended, in Optuna's words."""
    if trial.ended is None:
        return "RUNNING"
    best = trial.best_scored
    if best is not None and best.partial is None:
        return "COMPLETE"  # also of a training that broke off: what it saved before is worth that
    return "PRUNED" if trial.pruned is not None or reports_of(trial) else "FAIL"


def value_of(trial: TrialState) -> float | None:
    """What Optuna is given of a trial: of a whole one the best checkpoint's, else the last."""
    match outcome_of(trial):
        case "COMPLETE":
            assert trial.best_scored is not None
            return trial.best_scored.value
        case "PRUNED":
            reports = reports_of(trial)
            return reports[max(reports)] if reports else None
        case _:
            return None


def reports_of(trial: TrialState) -> dict[int, float]:
    """What the scored checkpoints count for, by percent of the training; averages are at its end.

    Of two at one percent the better one.
    """
    found: dict[int, float] = {}
    for scored in trial.evaluations.values():
        if scored.score is not None:
            percent = round(100 * scored.checkpoint.progress)
            found[percent] = max(scored.value, found.get(percent, scored.value))
    return dict(sorted(found.items()))


def attributes_of(trial: TrialState) -> dict[str, Any]:
    """What a person sees of a trial in Optuna's tools, beside its values and its score."""
    found: dict[str, Any] = {"strategy": trial.plan.strategy, "plan": trial.plan.identity}
    if trial.ended is None:
        return found
    if trial.failure is not None:
        found["failure"] = trial.failure
    if trial.pruned is not None:
        found["pruned"] = trial.pruned.reason
    best = trial.best_scored
    if best is not None and best.score is not None:
        found |= {"checkpoint": best.checkpoint.name, **figures(best)}
    return found


def figures(best: events.Evaluated) -> dict[str, Any]:
    """The numbers of a checkpoint's score."""
    score = best.score
    assert score is not None
    found: dict[str, Any] = {"passes": score.passes, "n": score.total}
    if best.counts is not None:
        found["counts"] = best.counts
    if best.lift is not None:
        genuine, lift = best.lift.genuine.passes, best.lift
        found |= {"genuine": genuine, "shuffled": lift.shuffled.accuracy, "lift": lift.share}
    return found
