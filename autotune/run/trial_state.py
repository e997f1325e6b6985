"""One training run of the study as a fold of its records. Nothing here runs or writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from autotune.protocol import events
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.plan import TrainPlan
from autotune.protocol.results import Checkpoint
from autotune.protocol.space import Value
from autotune.run.steps import Steps
from autotune.run.telemetry import Telemetry
from autotune.run.trial_clock import TrialClock

Place = tuple[int, int]
"""`Checkpoint.place`: the step, and how many checkpoints it is the average of (0 for none)."""


@dataclass
class TrialState:
    """One training run of the study, as far as it has come.

    `removed` names the folders of checkpoints that gave back their room; `damaged` are those that
    were found so when they were to be scored, `lost` those when they were to be kept as the best.
    `held_out` has the losses on held-out conversations by the step after which they were measured.
    `pruned` says why the training was ended before its end, if it was; its checkpoints count like
    any other. `point` and `repeats` as in `TrialStarted`.
    """

    number: int
    optuna_number: int
    plan: TrainPlan
    started: float
    point: Mapping[str, Value] = field(default_factory=dict)
    repeats: int | None = None
    steps: Steps = field(default_factory=Steps)
    held_out: dict[int, events.HeldOutLoss] = field(default_factory=dict)
    checkpoints: dict[Place, Checkpoint] = field(default_factory=dict)
    evaluations: dict[Place, events.Evaluated] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    damaged: set[Place] = field(default_factory=set)
    lost: set[Place] = field(default_factory=set)
    trained: events.Trained | None = None
    pruned: events.TrainingPruned | None = None
    resized: events.MicroBatchResized | None = None
    precision_changed: events.PrecisionChanged | None = None
    peak: events.PeakCompared | None = None
    telemetry: Telemetry = field(default_factory=Telemetry)
    ended: events.TrialEnded | None = None
    failure: str | None = None
    expected: TrialEstimate | None = None

    def __post_init__(self) -> None:
        self.clock = TrialClock(self.started)

    @property
    def last_step(self) -> events.StepDone | None:
        """The newest optimizer step, if any."""
        return self.steps.last

    def lose(self, event: events.CheckpointDamaged) -> None:
        """A checkpoint was found damaged; one that is made again is to be trained or averaged."""
        self.damaged.add(event.checkpoint.place)
        if event.again:
            self.checkpoints.pop(event.checkpoint.place, None)
            if not event.checkpoint.averaged:
                self.trained = None

    @property
    def is_training(self) -> bool:
        """Whether there is more to train: it is not done, nor failed for good, nor pruned."""
        return self.trained is None and self.failure is None and self.pruned is None

    @property
    def unscored(self) -> list[Checkpoint]:
        """Checkpoints still to be evaluated, in order of progress."""
        return [self.checkpoints[s] for s in sorted(self.checkpoints) if s not in self.evaluations]

    @property
    def checkpoints_to_average(self) -> list[Checkpoint]:
        """The checkpoints whose average is still to be made; empty where none is requested."""
        requested = self.plan.averaged
        known = {averaged for _, averaged in (*self.checkpoints, *self.evaluations)}
        if not requested or requested in known or len(self.checkpoints) < requested:
            return []
        return [self.checkpoints[s] for s in sorted(self.checkpoints)][-requested:]

    def to_finish(self, target: float) -> events.Evaluated | None:
        """The checkpoint that is still to be answered to its end, if any.

        The best one, once: only that tells what a trial counts for. Another after it only where its
        decided score reaches the target and is above what was found to count, which it may then
        beat: no score counts for more than itself.
        """
        best = max((e for e in self.scored if e.partial), key=attrgetter("value"), default=None)
        known = max((e.value for e in self.scored if not e.partial), default=None)
        if best is None or best.partial is None or known is None:
            return best
        may_win = best.partial.is_decided and best.value >= target and best.value > known
        return best if may_win else None

    @property
    def scored(self) -> list[events.Evaluated]:
        """The checkpoints that have a score, in order of training."""
        return [e for _, e in sorted(self.evaluations.items()) if e.score is not None]

    @property
    def best_scored(self) -> events.Evaluated | None:
        """The best scored checkpoint, whatever became of its weights: see `Evaluated.rank`.

        Of equal ones it is the earliest in training, in whatever order they were scored.
        """
        return max(self.scored, key=attrgetter("rank"), default=None)

    @property
    def best(self) -> events.Evaluated | None:
        """The best scored checkpoint; where its weights are lost, the best of those still there."""
        if not self.lost:
            return self.best_scored
        there = (e for e in self.scored if e.checkpoint.name not in self.removed)
        left = [e for e in there if e.checkpoint.place not in self.lost]
        return max(left, key=attrgetter("rank"), default=None)
