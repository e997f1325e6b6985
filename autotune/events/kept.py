"""What a run holds on to: the content that it began with, and the weights of its checkpoints."""

from typing import Literal

from autotune.boundary import Boundary
from autotune.outcome import Checkpoint


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
