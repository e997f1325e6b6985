"""What a worker says on its pipe, one event a line."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from autotune.base.format import rate_text, strategies_text
from autotune.base.model import Boundary
from autotune.protocol.choices import Precision
from autotune.protocol.data_notes import DataNote, with_dropped
from autotune.protocol.failure import Failure
from autotune.protocol.kernels import FoundKernels
from autotune.protocol.plan import MicroBatching
from autotune.protocol.results import Checkpoint, Measurement


class Ready(Boundary):
    """The worker has loaded its libraries and knows its device.

    `attention` is what it found there for the job's model, None where the job has none. `torch` is
    empty where the job needs none.
    """

    kind: Literal["ready"] = "ready"
    pid: int
    device: str
    torch: str = ""
    transformers: str
    attention: FoundKernels | None = None


class Phase(Boundary):
    """The worker begins a phase: loading, forward, backward, optimizer, generation, saving."""

    kind: Literal["phase"] = "phase"
    name: str


class StepResult(Boundary):
    """What one optimizer step did: the loss per supervised token, the gradient's norm, the rate.

    `tokens` without padding, `supervised_tokens` with a label. `skips` counts attempts before this
    one whose fp16 gradients overflowed: they moved neither weights nor schedule, and the same rows
    were taken again.
    """

    loss: float
    grad_norm: float | None
    learning_rate: float
    supervised_tokens: int
    tokens: int
    seconds: float
    skips: int = 0

    @property
    def figures(self) -> tuple[str, ...]:
        """What it did, for a person: `loss 1.234`, `grad norm 0.52`, `lr 4e-5`."""
        norm = () if self.grad_norm is None else (f"grad norm {self.grad_norm:.2f}",)
        return (f"loss {self.loss:.3f}", *norm, f"lr {rate_text(self.learning_rate)}")


class StepDone(StepResult):
    """A training has done its step `step` (from 1) of `total_steps`, as far as this in memory."""

    kind: Literal["step"] = "step"
    step: int
    total_steps: int
    memory_bytes: int


class HeldOutLoss(Boundary):
    """The mean loss of the supervised tokens of `conversations` that are not trained on.

    `step` is how many optimizer steps came before, `progress` (0..1) their share of all. `loss` is
    None where it is not a finite number.
    """

    kind: Literal["held_out_loss"] = "held_out_loss"
    step: Annotated[int, Field(ge=0)]
    progress: float
    loss: float | None
    conversations: int


class CheckpointSaved(Boundary):
    """A verified checkpoint is on disk; `scored` says whether it will be evaluated."""

    kind: Literal["checkpoint"] = "checkpoint"
    checkpoint: Checkpoint
    scored: bool


class Resumed(Boundary):
    """Training resumes from a checkpoint; truncated folders that were passed over are named."""

    kind: Literal["resumed"] = "resumed"
    step: int
    torn: tuple[str, ...] = ()


class Answered(Boundary):
    """Evaluation has this many answers on disk.

    `seconds` are those of the worker so far. `before` is how many there were when they began to
    count; None where that is not known.
    """

    kind: Literal["answered"] = "answered"
    done: int
    total: int
    new_tokens: int
    seconds: float
    before: int | None = None


class MicroBatchResized(Boundary):
    """Memory ran out in a training: step `step` is done again in smaller pieces.

    `phase` is where it ran out and `reason` the error in one line. The step's `batch_size`
    conversations, the schedule and the number of steps stay. Where `after` is `before`, it is tried
    again as it was. With `same_process` the memory came back and the worker continues; else a new
    one continues from the last checkpoint.
    """

    kind: Literal["recut"] = "recut"
    step: int
    phase: str
    batch_size: int
    before: MicroBatching
    after: MicroBatching
    same_process: bool
    reason: str


class PrecisionChanged(Boundary):
    """A training continues in another precision from step `step` on; fp32 master weights stay."""

    kind: Literal["precision_changed"] = "precision_changed"
    step: int
    before: Precision
    after: Precision
    reason: str


class Surveyed(Boundary):
    """The data is tokenized; `path` holds each conversation's round boundaries.

    `notes` says what was found in the rows; records of earlier versions have none. `strategies`
    are those that train on it, and `data` what it is called, where it is not the run's own data.
    """

    kind: Literal["surveyed"] = "surveyed"
    path: str
    conversations: int
    dropped: dict[str, int]
    literal_markers: int
    notes: tuple[DataNote, ...] = ()
    strategies: tuple[str, ...] = ()
    data: str = ""

    @property
    def name(self) -> str:
        """What to call it beside the run's own data: `more.jsonl of strategy B`; "" for that."""
        return f"{self.data} of {strategies_text(self.strategies)}" if self.strategies else ""

    @property
    def found(self) -> tuple[DataNote, ...]:
        """What was found in its rows, dropped ones first."""
        found = with_dropped(self.dropped, self.notes)
        return tuple(note.model_copy(update={"data": self.name}) for note in found)


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


class Notice(Boundary):
    """A sentence for the person, about something that no other event depends on."""

    kind: Literal["notice"] = "notice"
    about: Literal["disk", "in_full", "interrupted", "kept_answers", "model", "waiting"]
    sentence: str


class Warned(Boundary):
    """Something a person should know that stops nothing."""

    kind: Literal["warning"] = "warning"
    message: str


class Slept(Boundary):
    """Nothing ran for so long: the computer slept, or the program was stopped.

    The worker does not know it; who follows the worker says it between its events.
    """

    kind: Literal["slept"] = "slept"
    seconds: float


class Said(Boundary):
    """A further piece of the answer in a talk."""

    kind: Literal["said"] = "said"
    text: str


Finish = Literal["stop", "length", "interrupted"]
"""How an answer in a talk ended: by itself, at its longest, or because the person wanted."""


class AnswerEnded(Boundary):
    """An answer in a talk is over.

    `forgotten` are the oldest rounds that were left out of the question.
    """

    kind: Literal["answer_ended"] = "answer_ended"
    finish: Finish
    new_tokens: int
    seconds: float
    forgotten: int = 0


class Failed(Boundary):
    """The worker gives up: which fault, in which phase, in one line.

    `memory_bytes` is its peak up to then, None where nothing was measured yet.
    """

    kind: Literal["failed"] = "failed"
    fault: Failure
    phase: str
    message: str
    memory_bytes: int | None = None


class Finished(Boundary):
    """The job is done and the worker waits for another."""

    kind: Literal["finished"] = "finished"


WorkerEvent = Annotated[
    Ready
    | Phase
    | StepDone
    | HeldOutLoss
    | CheckpointSaved
    | Resumed
    | MicroBatchResized
    | PrecisionChanged
    | Answered
    | Surveyed
    | Measured
    | Trained
    | Notice
    | Warned
    | Slept
    | Said
    | AnswerEnded
    | Failed
    | Finished,
    Field(discriminator="kind"),
]

WORKER_EVENT: TypeAdapter[WorkerEvent] = TypeAdapter(WorkerEvent)
