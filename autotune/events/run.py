"""What a run remembers: `events.jsonl` holds one `Record` a line."""

from typing import Annotated, Literal

from pydantic import Field

from autotune.boundary import Boundary
from autotune.events.worker import WorkerEvent
from autotune.outcome import Checkpoint, Fit, Health, Metric, Partial, Think, TrialOutcome
from autotune.plan import TrainPlan
from autotune.throttle import Throttle


class RunStarted(Boundary):
    """A run begins, or goes on (`resumed`): its target and the names of what it works with.

    `device_kind` is None in records of a time when it was not written.
    """

    kind: Literal["run_started"] = "run_started"
    target: float
    profile: str
    model: str
    data: str
    prompts: str
    device: str
    device_kind: Literal["cuda", "cpu"] | None = None
    budget_bytes: int
    strategies: tuple[str, ...]
    prompt_count: int
    resumed: bool = False
    think: Think = Think.KEEP


class Content(Boundary):
    """What a run works with, by content: the sha256 of each file, by its name.

    `prompts` is the file that they were chosen from, `scored` the text of `prompts.jsonl` itself.
    `model` are the files of the model's folder, its tokenizer and template among them. An
    evaluation has no data.
    """

    kind: Literal["content"] = "content"
    data: dict[str, str]
    prompts: dict[str, str]
    scored: str
    model: dict[str, str]


class TrialAsked(Boundary):
    """What a trial depended on beside its point: see `heldtrials`.

    `identity` is a digest, `fresh` whether it had a process of its own, `budget_bytes` the limit.
    """

    identity: str
    fresh: bool
    timed_conversations: int
    budget_bytes: int


class ProbeTried(Boundary):
    """One trial of the probe ended; or it was `held`: an interrupted probe had tried it before.

    `asked` is None in records of a time when it was not written.
    """

    kind: Literal["probe_tried"] = "probe_tried"
    outcome: TrialOutcome
    asked: TrialAsked | None = None
    held: bool = False


class ProbeGoesOn(Boundary):
    """A probe takes up an interrupted one, so many of whose trials still hold."""

    kind: Literal["probe_goes_on"] = "probe_goes_on"
    trials: int


class ProbeEnded(Boundary):
    """A probe came to its end without an answer: it is over, and the next one begins anew."""

    kind: Literal["probe_ended"] = "probe_ended"
    reason: str


class Fitted(Boundary):
    """The probe's answer; `reused` says whether it comes from an earlier `fit.json`.

    `note` says of a reused one why it still holds, and of a new one why the old one did not.
    """

    kind: Literal["fitted"] = "fitted"
    fit: Fit
    reused: bool = False
    note: str = ""


class BaselineScored(Boundary):
    """A score to compare with: `echo` (the prompt given back) or `untrained` (before training)."""

    kind: Literal["baseline"] = "baseline"
    name: Literal["echo", "untrained"]
    prompt_strict: Metric
    interval: tuple[float, float]
    health: Health


class TrialStarted(Boundary):
    """Training of one plan begins; `number` counts the run's trials from 0.

    `optuna_number` is the trial's number in the Optuna study of its strategy.
    """

    kind: Literal["trial_started"] = "trial_started"
    number: int
    optuna_number: int
    plan: TrainPlan


class PeakCompared(Boundary):
    """The most memory that a training has used so far, beside what the probe measured for it."""

    kind: Literal["peak_compared"] = "peak_compared"
    number: int
    peak_bytes: int
    predicted_bytes: int


class CardSampled(Boundary):
    """How the card is doing while a trial trains. What the driver does not tell is None.

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


class TrainingFailed(Boundary):
    """A training will not get any further; what it has saved is scored before its trial ends."""

    kind: Literal["training_failed"] = "training_failed"
    number: int
    reason: str


class TrialEnded(Boundary):
    """A trial is over: every checkpoint scored, or `failure` says why not."""

    kind: Literal["trial_ended"] = "trial_ended"
    number: int
    best: float | None
    failure: str | None = None


class Evaluated(Boundary):
    """One checkpoint's score. `met` needs the target and healthy answers both.

    `problem` says why a checkpoint has no valid score; `unhealthy` lists the limits it breaks.
    `sound` counts the passes that neither loop nor echo nor say next to nothing. With a holdout all
    of these are of the half of the prompts that is reported, and `chosen_by` is the score on the
    other half, by which checkpoints are compared.

    With `partial` the evaluation was ended early: `prompt_strict` is of the prompts up to there, an
    estimate, the other figures are None and `met` is False. A later event may bring the full score.
    """

    kind: Literal["evaluated"] = "evaluated"
    number: int
    checkpoint: Checkpoint
    prompt_strict: Metric | None
    instruction_strict: Metric | None
    prompt_loose: Metric | None
    instruction_loose: Metric | None
    interval: tuple[float, float] | None
    health: Health | None
    met: bool
    unhealthy: tuple[str, ...] = ()
    problem: str | None = None
    sound: Metric | None = None
    chosen_by: Metric | None = None
    partial: Partial | None = None

    @classmethod
    def ended_early(
        cls,
        number: int,
        checkpoint: Checkpoint,
        score: Metric,
        interval: tuple[float, float],
        partial: Partial,
    ) -> "Evaluated":
        """A checkpoint whose evaluation was not worth going on with."""
        return cls(
            number=number,
            checkpoint=checkpoint,
            prompt_strict=score,
            instruction_strict=None,
            prompt_loose=None,
            instruction_loose=None,
            interval=interval,
            health=None,
            met=False,
            partial=partial,
        )

    @classmethod
    def without_score(cls, number: int, checkpoint: Checkpoint, problem: str) -> "Evaluated":
        """A checkpoint that has no valid score, and why."""
        return cls(
            number=number,
            checkpoint=checkpoint,
            prompt_strict=None,
            instruction_strict=None,
            prompt_loose=None,
            instruction_loose=None,
            interval=None,
            health=None,
            met=False,
            problem=problem,
        )


class Chosen(Boundary):
    """What the best of `candidates` scored checkpoints is worth without the luck of the choice.

    `corrected` is a share, 0..1, `interval` its 95 %; how: `evaluate.selection`.
    """

    kind: Literal["chosen"] = "chosen"
    candidates: int
    corrected: float
    interval: tuple[float, float]


class CheckpointsRemoved(Boundary):
    """Judged checkpoints of a trial that is over, and not its best, gave back their room.

    `names` are those of their folders; what they scored stays on record.
    """

    kind: Literal["checkpoints_removed"] = "checkpoints_removed"
    number: int
    names: tuple[str, ...]
    freed_bytes: int


class CheckpointDamaged(Boundary):
    """A checkpoint that was to be scored is not as it was saved; `fault` says what is wrong.

    With `again` it is made once more: trained from the last whole checkpoint before it, or averaged
    again. Otherwise an `Evaluated` without a score follows.
    """

    kind: Literal["checkpoint_damaged"] = "checkpoint_damaged"
    number: int
    checkpoint: Checkpoint
    fault: str
    again: bool


class BestKept(Boundary):
    """The best checkpoint so far was copied to `best/`; `sha256` is of that copy's manifest."""

    kind: Literal["best_kept"] = "best_kept"
    number: int
    checkpoint: Checkpoint
    sha256: str


class DiskPlanned(Boundary):
    """What the run will still write at most, before it begins, beside what is free."""

    kind: Literal["disk_planned"] = "disk_planned"
    needed_bytes: int
    free_bytes: int


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


class Interrupted(Boundary):
    """The person stopped the run; the same command goes on from here."""

    kind: Literal["interrupted"] = "interrupted"
    message: str


RunEvent = Annotated[
    RunStarted
    | Content
    | ProbeTried
    | ProbeGoesOn
    | ProbeEnded
    | Fitted
    | BaselineScored
    | TrialStarted
    | PeakCompared
    | CardSampled
    | Advised
    | BestKept
    | TrainingFailed
    | TrialEnded
    | Evaluated
    | Chosen
    | CheckpointDamaged
    | CheckpointsRemoved
    | DiskPlanned
    | Escalated
    | RunEnded
    | Interrupted
    | WorkerEvent,
    Field(discriminator="kind"),
]


class Record(Boundary):
    """A line of `events.jsonl`: when (seconds since the epoch) and what."""

    time: float
    event: RunEvent
