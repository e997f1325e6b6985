"""The plan before the hours, as data: the trials that a run would do, and what would stop it."""

from dataclasses import dataclass

from autotune.base.errors import AutotuneError, ExitCode
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.plan import TrainPlan


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds that something is likely to take, and that it takes at most."""

    likely: float
    most: float

    def __add__(self, other: "Span") -> "Span":
        """One after the other."""
        return Span(self.likely + other.likely, self.most + other.most)


NONE = Span(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial, or several alike, that a run would do.

    Attributes:
        stage: the strategy's name, or `search`.
        exact: whether its numbers are the strategy's own; else they are drawn, and those in the
            middle of what they are drawn from stand in.
        plan: what would be trained.
        of: conversations that there are, of which the plan trains on some.
        kept_supervised: share (0..1) of the supervised tokens that it trains on.
        expected: how long one is likely to take.
        most_seconds: how long one takes at most, every answer as long as it may be.
        count: how many such trials; 0 where a limit keeps it from being begun.
    """

    stage: str
    exact: bool
    plan: TrainPlan
    of: int
    kept_supervised: float
    expected: TrialEstimate
    most_seconds: float
    count: int = 1

    @property
    def checkpoints(self) -> int:
        """Checkpoints that training saves to be scored."""
        return len(self.plan.checkpoint_steps)

    @property
    def evaluations(self) -> int:
        """How often all prompts are answered: by each checkpoint, and by the average of some."""
        return self.checkpoints + (self.plan.averaged > 0)

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.expected.seconds * self.count


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
        over: trials of the run that is resumed which are over, and not repeated.
        before: seconds to answer with the untrained model; none where that is done.
        ends: the limit by which the run ends before its stages do; None where they end it.
        obstacle: what would stop the run first; None where nothing would.
        practice: seconds to make practice data; none where none is to be made, or nothing says
            how long that takes.
        overrun: what goes beyond the hours that a run may take, for it is done whatever they are;
            None where nothing does.
    """

    trials: tuple[PlannedTrial, ...]
    over: int
    before: Span
    ends: str | None
    obstacle: Obstacle | None
    practice: Span = NONE
    overrun: str | None = None

    @property
    def trial_count(self) -> int:
        """All trials, those that are over among them."""
        return self.over + sum(trial.count for trial in self.trials)

    @property
    def seconds(self) -> float:
        """All trials and what comes before them."""
        return self.preparing.likely + sum(trial.seconds for trial in self.trials)

    @property
    def most_seconds(self) -> float:
        """The same, every answer as long as it may be."""
        trials = sum(trial.most_seconds * trial.count for trial in self.trials)
        return self.preparing.most + trials

    @property
    def preparing(self) -> Span:
        """Until the first trial begins."""
        return self.practice + self.before
