"""What a run remembers: `events.jsonl` holds one `Record` a line."""

from typing import Annotated, Literal

from pydantic import Field

from autotune.base.model import Boundary
from autotune.protocol.checkpoint_events import (
    BaselineInFull,
    BestCorrected,
    BestInFull,
    BestKept,
    BestLost,
    CheckpointDamaged,
    CheckpointsRemoved,
    Evaluated,
    SpotChecked,
)
from autotune.protocol.choices import Think
from autotune.protocol.device_kind import DeviceKind
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.plan import TrainPlan
from autotune.protocol.practice_events import PracticeMade, PracticeStarted
from autotune.protocol.probe_events import (
    Fitted,
    ProbeEnded,
    ProbeResumed,
    ProbeTrialStarted,
    ProbeTried,
)
from autotune.protocol.results import Health
from autotune.protocol.scores import DEFAULT_SCORER, Lift, Score, Scored
from autotune.protocol.space import Value
from autotune.protocol.study_events import StudyTotal
from autotune.protocol.throttle import Throttle
from autotune.protocol.training_data_events import DataMixed, KindsApart, PracticeFound
from autotune.protocol.worker_events import WorkerEvent


class RunStarted(Boundary):
    """A run begins, or resumes (`resumed`): its target and the names of what it works with.

    `device_kind` is None in records of a time when it was not written. `study` is the shared study
    that the run works at, None for one by itself. `stop_at_target` says whether it ends when the
    target is met, `searches` whether trials follow the strategies. `command` is the command line,
    `machine` what it runs on and with (`run.machine`), by name, and `seeds` what it draws with;
    empty in older records.
    """

    kind: Literal["run_started"] = "run_started"
    target: float
    profile: str
    model: str
    data: str
    prompts: str
    device: str
    device_kind: DeviceKind | None = None
    budget_bytes: int
    strategies: tuple[str, ...]
    prompt_count: int
    resumed: bool = False
    think: Think = Think.KEEP
    scorer: str = DEFAULT_SCORER
    study: str | None = None
    stop_at_target: bool = True
    searches: bool = False
    command: str = ""
    machine: dict[str, str] = {}
    seeds: dict[str, int] = {}


class Content(Boundary):
    """What a run works with, by content: the sha256 of each file, by its name.

    `prompts` is the file that they were chosen from, `scored` the text of `prompts.jsonl` itself.
    `model` are the files of the model's folder, its tokenizer and template among them. An
    evaluation has no data. `own_data` is that of strategies which name data of their own, by
    their names; those that a run comes to later are in an event of their own.
    """

    kind: Literal["content"] = "content"
    data: dict[str, str]
    prompts: dict[str, str]
    scored: str
    model: dict[str, str]
    own_data: dict[str, dict[str, str]] = {}

    def with_data_of(self, later: "Content") -> "Content":
        """This, and the data of strategies that the run came to later."""
        return self.model_copy(update={"own_data": later.own_data | self.own_data})


class BaselineScored(Scored):
    """A score to compare with: `untrained` (before training), or a baseline of the scorer.

    Where a model answered, `seconds` is how long it took for all prompts, `new_tokens` how many
    tokens its answers have; None where that is not known. `kinds` has an entry for each choice of
    kinds that the run's practice data holds out.
    """

    kind: Literal["baseline"] = "baseline"
    name: str
    score: Score
    interval: tuple[float, float]
    health: Health
    lift: Lift | None = None
    seconds: float | None = None
    new_tokens: int | None = None
    kinds: tuple[KindsApart, ...] = ()


class TrialStarted(Boundary):
    """Training of one plan begins; `number` counts the run's trials from 0.

    `optuna_number` is the trial's number in its Optuna study. `point` are its values of the
    searchable keys as they were asked for, of which the plan has what they came to. `repeats` is
    the number of the trial whose plan is trained again because its best weights are lost.
    `expected` is how long it was expected to take, None in older records.
    """

    kind: Literal["trial_started"] = "trial_started"
    number: int
    optuna_number: int
    plan: TrainPlan
    point: dict[str, Value] = {}
    repeats: int | None = None
    expected: TrialEstimate | None = None


class PeakCompared(Boundary):
    """The most memory that a training has used so far, beside what the probe measured for it."""

    kind: Literal["peak_compared"] = "peak_compared"
    number: int
    peak_bytes: int
    predicted_bytes: int


class CardSampled(Boundary):
    """How the card is doing while a trial trains. What the driver does not report is None.

    `began` and `ended` name what holds the clock down since, or no longer since, the sample before.
    """

    kind: Literal["card"] = "card"
    number: int
    used_bytes: int | None
    total_bytes: int | None
    celsius: float | None
    watts: float | None
    limit_watts: float | None
    throttled: tuple[Throttle, ...] | None
    began: tuple[Throttle, ...] = ()
    ended: tuple[Throttle, ...] = ()
    on_battery: bool | None = None

    @property
    def is_news(self) -> bool:
        """Whether something began or ended to hold the card down, and not just a minute passed."""
        return bool(self.began or self.ended)


class Advised(Boundary):
    """Advice on a training whose numbers left their range; each rule speaks once a trial."""

    kind: Literal["advised"] = "advised"
    number: int
    rule: str
    step: int
    message: str


class ImportancesFound(Boundary):
    """Which searchable keys made the difference between `trials` trials, as shares of 1."""

    kind: Literal["importances"] = "importances"
    shares: dict[str, float]
    trials: int


class TrainingFailed(Boundary):
    """A training will not get any further; what it has saved is scored before its trial ends."""

    kind: Literal["training_failed"] = "training_failed"
    number: int
    reason: str


class TrainingPruned(Boundary):
    """A training was ended because it leads nowhere; what it has saved is scored all the same.

    `reason` is the sentence for a person. `loss` is the held-out loss that said so after `step`
    steps, None where it was not a finite number.
    """

    kind: Literal["training_pruned"] = "training_pruned"
    number: int
    reason: str
    step: int
    progress: float
    loss: float | None


class TrialEnded(Boundary):
    """A trial is over: every checkpoint scored, or `failure` says why not."""

    kind: Literal["trial_ended"] = "trial_ended"
    number: int
    best: float | None
    failure: str | None = None


class Escalated(Boundary):
    """The study moves to a stronger strategy."""

    kind: Literal["escalated"] = "escalated"
    previous: str
    next: str
    reason: str


class RunEnded(Boundary):
    """The study is over."""

    kind: Literal["run_ended"] = "run_ended"
    met: bool
    reason: str


class LegacyEvent(Boundary, extra="ignore"):
    """An event of earlier versions on which nothing depends; old records are read with it."""

    kind: Literal["disk_planned", "generated", "interrupted", "predicted", "prepared"]
    message: str = ""


RunEvent = Annotated[
    RunStarted
    | Content
    | PracticeFound
    | DataMixed
    | ProbeTrialStarted
    | ProbeTried
    | ProbeResumed
    | ProbeEnded
    | Fitted
    | BaselineScored
    | PracticeStarted
    | PracticeMade
    | TrialStarted
    | PeakCompared
    | CardSampled
    | Advised
    | BestKept
    | BestLost
    | TrainingFailed
    | TrainingPruned
    | TrialEnded
    | Evaluated
    | BestCorrected
    | ImportancesFound
    | CheckpointDamaged
    | BestInFull
    | SpotChecked
    | BaselineInFull
    | CheckpointsRemoved
    | Escalated
    | StudyTotal
    | RunEnded
    | LegacyEvent
    | WorkerEvent,
    Field(discriminator="kind"),
]


class Record(Boundary):
    """A line of `events.jsonl`: when (seconds since the epoch) and what."""

    time: float
    event: RunEvent
