"""Everything that happens, as data: what a worker says on its pipe and what a run remembers.

A worker prints one `WorkerEvent` a line. A run's `events.jsonl` holds one `Record` a line; the
study's state, the screen, resume and the report are folds of those records and nothing else.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from autotune.boundary import Boundary
from autotune.outcome import Checkpoint, Fault, Fit, Health, Measurement, Metric, TrialOutcome
from autotune.plan import TrainPlan


class Ready(Boundary):
    """The worker has loaded its libraries and knows its device."""

    kind: Literal["ready"] = "ready"
    pid: int
    device: str
    torch: str
    transformers: str


class Phase(Boundary):
    """The worker begins a phase: loading, forward, backward, optimizer, generate, saving."""

    kind: Literal["phase"] = "phase"
    name: str


class StepDone(Boundary):
    """One optimizer step: its numbers, 1-based step, the loss per supervised token.

    `skipped` marks a step whose fp16 gradients overflowed: weights and schedule did not move.
    """

    kind: Literal["step"] = "step"
    step: int
    total_steps: int
    loss: float
    grad_norm: float | None
    learning_rate: float
    supervised_tokens: int
    tokens: int
    seconds: float
    memory_bytes: int
    skipped: bool = False


class CheckpointSaved(Boundary):
    """A verified checkpoint is on disk; `scored` says whether it will be evaluated."""

    kind: Literal["checkpoint"] = "checkpoint"
    checkpoint: Checkpoint
    scored: bool


class Resumed(Boundary):
    """Training goes on from a checkpoint; torn folders that were passed over are named."""

    kind: Literal["resumed"] = "resumed"
    step: int
    torn: tuple[str, ...] = ()


class Answered(Boundary):
    """Evaluation has this many answers on disk."""

    kind: Literal["answered"] = "answered"
    done: int
    total: int
    new_tokens: int
    seconds: float


class Surveyed(Boundary):
    """The data is tokenized; `path` holds each conversation's round boundaries."""

    kind: Literal["surveyed"] = "surveyed"
    path: str
    conversations: int
    dropped: dict[str, int]
    literal_markers: int


class Measured(Boundary):
    """What a trial measured of itself."""

    kind: Literal["measured"] = "measured"
    measurement: Measurement


class Trained(Boundary):
    """A training run is complete. `weights_moved` is |after - before| / |before| of all weights."""

    kind: Literal["trained"] = "trained"
    steps: int
    skipped_steps: int
    weights_moved: float
    seconds: float


class Generated(Boundary):
    """All answers of one checkpoint are in the file at `path`."""

    kind: Literal["generated"] = "generated"
    path: str
    answers: int
    seconds: float


class Prepared(Boundary):
    """A model folder was built (converted from GGUF, or a toy made from a seed)."""

    kind: Literal["prepared"] = "prepared"
    folder: str
    parameters: int


class Warned(Boundary):
    """Something a person should know that stops nothing."""

    kind: Literal["warning"] = "warning"
    message: str


class Failed(Boundary):
    """The worker gives up: which fault, in which phase, in one line."""

    kind: Literal["failed"] = "failed"
    fault: Fault
    phase: str
    message: str


WorkerEvent = Annotated[
    Ready
    | Phase
    | StepDone
    | CheckpointSaved
    | Resumed
    | Answered
    | Surveyed
    | Measured
    | Trained
    | Generated
    | Prepared
    | Warned
    | Failed,
    Field(discriminator="kind"),
]

WORKER_EVENT: TypeAdapter[WorkerEvent] = TypeAdapter(WorkerEvent)


class RunStarted(Boundary):
    """A run begins, or goes on (`resumed`): its target and the names of what it works with."""

    kind: Literal["run_started"] = "run_started"
    target: float
    profile: str
    model: str
    data: str
    prompts: str
    device: str
    budget_bytes: int
    strategies: tuple[str, ...]
    prompt_count: int
    resumed: bool = False


class ProbeTried(Boundary):
    """One trial of the probe ended."""

    kind: Literal["probe_tried"] = "probe_tried"
    outcome: TrialOutcome


class Fitted(Boundary):
    """The probe's answer; `reused` says whether it comes from an earlier `fit.json`."""

    kind: Literal["fitted"] = "fitted"
    fit: Fit
    reused: bool = False


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


class TrialEnded(Boundary):
    """A trial is over: every checkpoint scored, or `failure` says why not."""

    kind: Literal["trial_ended"] = "trial_ended"
    number: int
    best: float | None
    failure: str | None = None


class Evaluated(Boundary):
    """One checkpoint's score. `met` needs the target and healthy answers both.

    `problem` says why a checkpoint has no valid score; `unhealthy` lists the limits it breaks.
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
    | ProbeTried
    | Fitted
    | BaselineScored
    | TrialStarted
    | TrialEnded
    | Evaluated
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
