"""The next trial of a run, with all its numbers: its stage, its point, its plan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autotune.config.study import StudyChoice, searched
from autotune.data.survey import Survey
from autotune.fit.resolve import resolve_plan, usable_strategies
from autotune.protocol.plan import SEARCH, Strategy, TrainPlan
from autotune.protocol.results import Fit
from autotune.protocol.space import Value
from autotune.run.setup import Setup
from autotune.run.state import StudyState
from autotune.run.trial_summary import TrialSummary
from autotune.study.next_trial import Begin, Limits, Stage
from autotune.study.optuna_study import draw

EPOCHS = "num_train_epochs"
"""The key that a trial's time hangs on."""

ExpectedSeconds = Callable[[StudyState, TrainPlan], float]
"""How long a trial of a plan is expected to take, given how long those before it took."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A trial to begin: what was asked for, and what it comes to on this machine."""

    stage: str
    strategy: Strategy
    point: dict[str, Value]
    plan: TrainPlan


class Chooser:
    """Makes trials out of a profile, what fits, and the trials that there are."""

    def __init__(
        self, setup: Setup, survey: Survey, fit: Fit, target: float, expected: ExpectedSeconds
    ) -> None:
        self.setup = setup
        self.survey = survey
        self.fit = fit
        self.target = target
        self.seconds_of_plan = expected
        self.strategies: tuple[Strategy, ...] = usable_strategies(setup.profile.tried, fit, survey)

    @property
    def study(self) -> StudyChoice:
        """The profile's `[study]`."""
        return self.setup.profile.study

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The strategies that will be tried, in order of escalation, and the search after them."""
        found = [Stage(s.name, s.n_trials) for s in self.strategies]
        if self.study.n_trials != 0:
            found.append(Stage(SEARCH, self.study.n_trials))
        return tuple(found)

    def limits(self, state: StudyState) -> Limits:
        """When the study ends, as of now."""
        hours = self.study.max_hours
        return Limits(
            target=self.target,
            stop_at_target=self.study.stop_at_target,
            max_trials=self.study.max_trials,
            seconds_left=None if hours is None else hours * 3600 - state.worked_seconds,
        )

    def expected(self, state: StudyState) -> Callable[[str], float]:
        """Seconds that a trial of a stage takes; of the search at the fewest epochs it may have."""

        def seconds(stage: str) -> float:
            named = next((s for s in self.strategies if s.name == stage), None)
            strategy = named or self._shortest()
            plan = resolve_plan(strategy, self.fit, self.survey, self.setup)
            return self.seconds_of_plan(state, plan)

        return seconds

    def _shortest(self) -> Strategy:
        """The first strategy as a point of the search, at the fewest epochs of the space."""
        first, search = self.setup.profile.strategies[0], self.study.search
        if search is None:
            return searched(first, {})
        fewest = search.space.get(EPOCHS, (first.num_train_epochs,))[0]
        return search.strategy(first, {EPOCHS: fewest})

    def choose(self, trials: Sequence[TrialSummary], begin: Begin, state: StudyState) -> Chosen:
        """The trial to begin: the exact point of a strategy, or one that is drawn.

        One of a search that would not end within the hours left is trained for fewer epochs, as
        far down as its range goes. `trials` are all of the study, of other workers too.

        Raises:
            BadInput: the data keeps nothing at this point, or the sampler cannot be used.
        """
        if begin.stage == SEARCH:
            return self._searched(trials, state)
        strategy = next(s for s in self.strategies if s.name == begin.stage)
        seed = self.setup.profile.train.seed
        earlier = sum(t.stage == begin.stage for t in trials)
        if begin.first:
            return self._chosen(strategy, strategy)
        if strategy.search:
            values = draw(trials, strategy.search, self.study, seed)
            tree = strategy.model_dump() | values
            return self._chosen(strategy, Strategy.model_validate(tree))
        # Without ranges to draw from, a further trial differs by its order of the data.
        return self._chosen(strategy, strategy, seed=seed + earlier)

    def at(self, strategy: Strategy, seed: int) -> Chosen:
        """A trial whose point is known already, as of one that is begun again elsewhere."""
        return self._chosen(strategy, strategy, seed=seed)

    def strategy_at(self, stage: str, point: Mapping[str, Value]) -> Strategy:
        """A point of a stage as a strategy."""
        first, search = self.setup.profile.strategies[0], self.study.search
        if stage == SEARCH:
            return searched(first, point) if search is None else search.strategy(first, point)
        named = next(s for s in self.strategies if s.name == stage)
        return Strategy.model_validate(named.model_dump() | dict(point))

    def _searched(self, trials: Sequence[TrialSummary], state: StudyState) -> Chosen:
        made = sum(t.stage == SEARCH and not t.repeats for t in trials)
        if made < len(self.study.enqueue):
            given = searched(self.setup.profile.strategies[0], self.study.enqueue[made])
            return self._chosen(given, given)
        search = self.study.search
        assert search is not None
        left = self.limits(state).seconds_left
        values = draw(trials, search.space, self.study, self.setup.profile.train.seed)
        fewest = int(search.space.get(EPOCHS, (1,))[0])
        while True:
            strategy = search.strategy(self.setup.profile.strategies[0], values)
            chosen = self._chosen(strategy, strategy)
            epochs = chosen.plan.num_train_epochs
            if left is None or EPOCHS not in values or epochs <= fewest:
                return chosen
            if self.seconds_of_plan(state, chosen.plan) <= left:
                return chosen
            values = {**values, EPOCHS: epochs - 1}

    def _chosen(self, named: Strategy, strategy: Strategy, **changes: int) -> Chosen:
        plan = resolve_plan(strategy, self.fit, self.survey, self.setup, changes)
        return Chosen(named.name, strategy, strategy.point, plan)
