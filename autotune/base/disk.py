"""What checkpoints take on the disk: one of them, and all that lie there at one time.

A checkpoint is the weights in fp32, what the optimizer keeps beside them, and the tokenizer. What
lives at one time follows from what is kept: every scored checkpoint's weights until they are
judged, the two newest whole, the one being written, the best of every trial that is over.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from autotune.base.optimizer_state import KEPT, WEIGHT_BYTES, State
from autotune.base.sizes import MIB

RESUMABLE = 2
"""Checkpoints that keep their optimizer: should the newest one be damaged, there is one more."""

SPARE_SAVES = 2
"""Before a save so many times its size must be free: what else writes to the disk meanwhile, and
file systems that slow down or fail before they are full."""

_TEXTS = {".json", ".txt", ".jinja", ".model"}
"""What a checkpoint has beside tensors: configuration, tokenizer, chat template."""

BYTES_A_TOKEN = 8
"""Of an answer in UTF-8 JSON, with escapes: English has about 5, rarer scripts more."""

BYTES_A_PROMPT = 2048
"""Beside the answer's text: the prompt again, and the verdict on each instruction."""

RECORD_BYTES = 64 * MIB
"""The record, the reports, the database and the workers' logs; a step's record has 250 bytes."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one checkpoint's parts take, in bytes: fp32 weights, and all that is no tensor.

    `state` is what the optimizer keeps, which a whole checkpoint has beside them.
    """

    weights: int
    rest: int
    state: State = KEPT

    @property
    def kept(self) -> int:
        """What the optimizer's state takes, in bytes."""
        return self.state.kept_bytes(self.weights)

    @property
    def whole(self) -> int:
        """A checkpoint that can be resumed from, in bytes."""
        return self.weights + self.kept + self.rest


@dataclass(frozen=True, slots=True)
class Writes:
    """How much a run will write: trials, checkpoints scored a trial, averages among them, answers.

    `answer_bytes` is of one evaluation, at most; `data_bytes` of the data that it makes itself.
    """

    trials: int
    scored: int
    averaged: bool
    answer_bytes: int
    data_bytes: int = 0


def needed_bytes(sizes: Sizes, writes: Writes) -> int:
    """The most that lies on the disk at one time, in bytes.

    That is in the last trial, when its last checkpoint is saved: the bests of the trials before it
    and the copy of the study's best; the weights of the checkpoints that wait to be judged; the
    two newest, whole and perhaps saved only for resuming; and the one being written, counted as
    often as a save demands. Or at its end: all of its checkpoints, two of them whole, their
    average, and the study's best in its old and its new copy.
    """
    bests = writes.trials - 1
    # One of the scored is written, and the study's best is there as well.
    saving = (bests + writes.scored + RESUMABLE + SPARE_SAVES) * sizes.weights
    saving += (RESUMABLE + SPARE_SAVES) * sizes.kept
    ending = (bests + 2 + writes.scored + writes.averaged) * sizes.weights + RESUMABLE * sizes.kept
    folders = bests + 2 + writes.scored + RESUMABLE + SPARE_SAVES
    evaluations = 2 + writes.trials * (writes.scored + writes.averaged)
    return (
        max(saving, ending)
        + folders * sizes.rest
        + evaluations * writes.answer_bytes
        + writes.data_bytes
        + RECORD_BYTES
    )


def sizes_of(model_folder: Path) -> Sizes | None:
    """What a checkpoint of this model takes; None where its files cannot be read."""
    try:
        files = sorted(model_folder.glob("*.safetensors"))
        parameters = sum(parameters_in(path) for path in files)
        texts = (p for p in model_folder.iterdir() if p.suffix in _TEXTS)
        rest = sum(path.stat().st_size for path in texts)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return Sizes(weights=WEIGHT_BYTES * parameters, rest=rest) if parameters else None


def parameters_in(path: Path) -> int:
    """How many numbers a safetensors file holds, from its header: a length, then JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError(f"{path}: header longer than the file")
        header = json.loads(file.read(length))
    return sum(math.prod(t["shape"]) for name, t in header.items() if name != "__metadata__")


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder, those below it included."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
