"""What a run would do from here, trial after trial, if none of them met the target."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from autotune.base.errors import BadInput
from autotune.base.format import about, counted, duration
from autotune.config.study import StudyChoice, searched
from autotune.fit.expected import estimated, evaluation_seconds
from autotune.fit.likely import likely, likely_untrained
from autotune.fit.resolve import resolve_plan
from autotune.fit.run_plan import NONE, Obstacle, PlannedTrial, RunPlan, Span
from autotune.protocol.plan import SEARCH, Strategy
from autotune.protocol.space import SEARCHABLE, Value
from autotune.run.kept_answers import find_kept
from autotune.run.setup import Setup
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState
from autotune.study.chooser import Chooser


@dataclass(frozen=True, slots=True)
class Premises:
    """What a plan's times rest on beside the chooser's.

    `practice` is spent on practice data first, and the strategies `practised` train on at most
    `most_practice` times the tokens that are likely. `measured` is whether a probe took the times.
    """

    practice: Span = NONE
    practised: tuple[str, ...] = ()
    most_practice: float = 1.0
    measured: bool = True


def plan_run(chooser: Chooser, state: StudyState, premises: Premises = Premises()) -> RunPlan:
    """The trials of every stage, as far as hours and number of trials allow.

    Hours are granted by what is likely: a run that comes to a trial knows by then how long the
    untrained model's answers were.

    Args:
        chooser: which stages there are, what fits, and the limits.
        state: what the run's record says; an empty one of a run that begins.
        premises: what the times rest on beside that.
    """
    setup, fit = chooser.setup, chooser.fit
    before = NONE
    if "untrained" not in state.baselines and not _is_answered(setup):
        before = Span(
            likely_untrained(state, setup, fit, measured=premises.measured),
            evaluation_seconds(state, setup, fit)[0],
        )
    left = chooser.limits(state).seconds_left
    budget = _Budget(
        chooser.study,
        None if left is None else left - before.likely - premises.practice.likely,
        sum(t.ended is not None for t in state.trials),
        resumes=state.current is not None,
    )
    planned: list[PlannedTrial] = []
    obstacle: Obstacle | None = None
    try:
        for trial in _asked(chooser, state, premises):
            planned.append(budget.grant(trial))
    except BadInput as error:
        obstacle = Obstacle.of(error)
    return RunPlan(
        *(tuple(planned), budget.over, before, budget.ends, obstacle, premises.practice),
        budget.overrun,
    )


def _is_answered(setup: Setup) -> bool:
    """Whether an earlier run's answers are taken for those of the model before training."""
    return setup.content is not None and find_kept(setup, setup.content.scored) is not None


class _Budget:
    """Hours and trials that are left, and what they are granted to.

    `over` trials are done. Where the run `resumes` one, that comes first and has begun already.
    """

    def __init__(
        self, study: StudyChoice, seconds: float | None, over: int, *, resumes: bool
    ) -> None:
        self.seconds = seconds
        self.max_hours = study.max_hours
        self.max_trials = study.max_trials
        self.over = over
        self.begun = over
        self.resumes = resumes
        self.ends: str | None = None
        self.overrun: str | None = None

    def grant(self, trial: PlannedTrial) -> PlannedTrial:
        """The trial as often as it may be begun; a search as often as there is room for."""
        if self.ends is not None:
            return replace(trial, count=0)
        count = self._within(trial)
        if count < trial.count:
            trial = replace(trial, count=count)
        self.begun += trial.count
        self.resumes = False
        if self.seconds is not None:
            self.seconds -= trial.seconds
        return trial

    def _within(self, trial: PlannedTrial) -> int:
        count, each = trial.count, trial.expected.seconds
        if self.max_trials is not None and self.begun + count > self.max_trials:
            count = self.max_trials - self.begun
            self.ends = f"{counted(self.max_trials, 'trial')}, as limited (max_trials)"
        # The first trial of a run always begins, and one that has begun is not cut off.
        always = self.begun == 0 or self.resumes
        if always and self.seconds is not None and each > self.seconds:
            self.overrun = self._beyond(trial.stage, each - self.seconds)
        if self.seconds is not None and each * count > self.seconds and not (always and count == 1):
            count = max(int(self.seconds // each) if each else 0, int(always))
            self.ends = (
                f"a trial of {trial.stage} takes about {duration(each)}, and"
                f" {duration(max(0.0, self.seconds - count * each))} would be left (max_hours)"
            )
        return max(0, count)

    def _beyond(self, stage: str, seconds: float) -> str:
        """By how much a trial that the hours have no power over goes beyond them."""
        hours = duration((self.max_hours or 0.0) * 3600)
        anyway = "which has begun, continues" if self.resumes else "the first trial, begins"
        return (
            f"{hours} (max_hours); {stage}, {anyway} all the same, is not interrupted and would end"
            f" {about(seconds)} later"
        )


UNLIMITED = 10_000
"""Trials of a search that nothing limits; a profile with such a search is refused."""


def _asked(chooser: Chooser, state: StudyState, premises: Premises) -> Iterator[PlannedTrial]:
    """All trials of all stages, limits left aside."""
    current = state.current
    if current is not None:
        yield _rest_of(chooser, state, current, premises)
    for stage in chooser.stages:
        done = sum(t.plan.strategy == stage.name for t in state.trials)
        if stage.name == SEARCH:
            first = chooser.setup.profile.strategies[0]
            for point in chooser.study.enqueue[done:]:
                yield _planned(chooser, state, searched(first, point), premises, exact=True)
            if chooser.study.search is not None:
                middle = _middle(chooser)
                yield _planned(chooser, state, middle, premises, exact=False, count=UNLIMITED)
            continue
        strategy = next(s for s in chooser.strategies if s.name == stage.name)
        if done == 0:
            yield _planned(chooser, state, strategy, premises, exact=True)
        left = (stage.n_trials or 0) - max(1, done)
        if left > 0:
            middle = strategy.model_copy(update=_midpoint(strategy.search))
            # Without ranges it is the same point, with another order of the data.
            exact = not strategy.search
            yield _planned(chooser, state, middle, premises, exact=exact, count=left)


def _planned(
    chooser: Chooser,
    state: StudyState,
    strategy: Strategy,
    premises: Premises,
    *,
    exact: bool,
    count: int = 1,
) -> PlannedTrial:
    setup, fit, survey = chooser.setup, chooser.fit, chooser.survey.of(strategy.name)
    plan = resolve_plan(strategy, fit, survey, setup)
    bound = estimated(state, setup, fit, survey, plan)
    more = premises.most_practice if strategy.name in premises.practised else 1.0
    found = PlannedTrial(
        stage=strategy.name,
        exact=exact,
        plan=plan,
        of=len(survey.rows),
        kept_supervised=survey.kept(plan.model_max_length, plan.max_rounds).supervised_share,
        expected=bound,
        most_seconds=bound.training * more + bound.scoring,
        count=count,
    )
    expected = likely(bound, found.evaluations, setup, fit, measured=premises.measured)
    return replace(found, expected=expected)


def _rest_of(
    chooser: Chooser, state: StudyState, trial: TrialState, premises: Premises
) -> PlannedTrial:
    """What is left of the trial that an interrupted run was at."""
    plan, survey = trial.plan, chooser.survey.of(trial.plan.strategy)
    whole = estimated(state, chooser.setup, chooser.fit, survey, plan)
    last = trial.last_step
    trained = 1.0 if not trial.is_training else (last.step / last.total_steps if last else 0.0)
    found = PlannedTrial(
        stage=plan.strategy,
        exact=True,
        plan=plan,
        of=len(survey.rows),
        kept_supervised=survey.kept(plan.model_max_length, plan.max_rounds).supervised_share,
        expected=whole,
        most_seconds=whole.seconds,
    )
    scored = min(1.0, len(trial.evaluations) / found.evaluations)
    rest = {
        "training_seconds": whole.training_seconds * (1 - trained),
        "scoring_seconds": whole.scoring_seconds * (1 - scored),
    }
    left = whole.model_copy(update=rest)
    expected = likely(
        left,
        found.evaluations - round(scored * found.evaluations),
        *(chooser.setup, chooser.fit),
        measured=premises.measured,
    )
    return replace(found, expected=expected, most_seconds=left.seconds)


def _middle(chooser: Chooser) -> Strategy:
    """The point in the middle of what is searched."""
    search = chooser.study.search
    assert search is not None
    return search.strategy(chooser.setup.profile.strategies[0], _midpoint(search.space))


def _midpoint(space: dict[str, tuple[Value, ...]]) -> dict[str, Value]:
    """The middle of each range on its scale, and the middle one of choices."""
    found: dict[str, Value] = {}
    for key, ends in space.items():
        if SEARCHABLE[key] == "choices":
            found[key] = ends[len(ends) // 2]
            continue
        low, high = (float(end) for end in ends)
        middle = math.sqrt(low * high) if SEARCHABLE[key] == "log" else (low + high) / 2
        found[key] = round(middle) if SEARCHABLE[key] == "whole" else middle
    return found
