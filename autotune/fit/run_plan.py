"""The plan before the hours: the trials that a run would do, their time, and what would stop it."""

from collections.abc import Sequence
from dataclasses import dataclass

from autotune.base.errors import AutotuneError, BadInput, ExitCode
from autotune.data.survey import Survey
from autotune.fit.expected import estimated, evaluation_seconds
from autotune.fit.resolve import resolve_plan
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.plan import Strategy, TrainPlan
from autotune.protocol.results import Fit
from autotune.run.setup import Setup
from autotune.run.state import StudyState


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial that a run would do.

    Attributes:
        stage: the strategy's name.
        exact: whether its numbers are the strategy's own; else they are drawn, and these stand in.
        plan: what would be trained.
        of: conversations that there are, of which the plan trains on some.
        kept_supervised: share (0..1) of the supervised tokens that it trains on.
        expected: how long it takes.
    """

    stage: str
    exact: bool
    plan: TrainPlan
    of: int
    kept_supervised: float
    expected: TrialEstimate

    @property
    def checkpoints(self) -> int:
        """Checkpoints that training saves to be scored."""
        return len(self.plan.checkpoint_steps)

    @property
    def evaluations(self) -> int:
        """How often all prompts are answered: by each checkpoint, and by the average of some."""
        return self.checkpoints + (self.plan.averaged > 0)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The first thing that would stop a run, in words, and the exit code that it would end with."""

    code: ExitCode
    reason: str

    @classmethod
    def of(cls, error: AutotuneError) -> "Obstacle":
        """The one that an error is."""
        return cls(error.exit_code, str(error))


@dataclass(frozen=True, slots=True)
class RunPlan:
    """All of it.

    Attributes:
        trials: in the order in which they would be trained, if none before meets the target.
        before_seconds: to answer with the untrained model, at most; 0 where that is done.
        over: trials of the run that is resumed which are over, and not repeated.
        obstacle: what would stop the run first; None where nothing would.
    """

    trials: tuple[PlannedTrial, ...]
    before_seconds: float
    over: int
    obstacle: Obstacle | None

    @property
    def seconds(self) -> float:
        """All trials and what comes before them."""
        return self.before_seconds + sum(trial.expected.seconds for trial in self.trials)


def plan_run(
    setup: Setup, fit: Fit, survey: Survey, state: StudyState, strategies: Sequence[Strategy]
) -> RunPlan:
    """What a run would do from here.

    Args:
        setup: what it works with.
        fit: what fits, as far as it is known.
        survey: the data.
        state: what its record says; an empty one of a run that begins.
        strategies: those that would have their turn, in order of escalation.
    """
    trials: list[PlannedTrial] = []
    obstacle: Obstacle | None = None
    for strategy in strategies:
        done = sum(t.plan.strategy == strategy.name and t.ended is not None for t in state.trials)
        try:
            plan = resolve_plan(strategy, fit, survey, setup)
        except BadInput as error:
            obstacle = obstacle or Obstacle.of(error)
            continue
        kept = survey.kept(plan.model_max_length, plan.max_rounds)
        trials += [
            PlannedTrial(
                stage=strategy.name,
                exact=number == 0,
                plan=plan,
                of=len(survey.rows),
                kept_supervised=kept.supervised_share,
                expected=estimated(state, setup, fit, survey, plan),
            )
            for number in range(done, strategy.n_trials)
        ]
    answered = "untrained" in state.baselines
    return RunPlan(
        trials=tuple(trials),
        before_seconds=0.0 if answered else evaluation_seconds(state, setup, fit)[0],
        over=sum(t.ended is not None for t in state.trials),
        obstacle=obstacle,
    )
