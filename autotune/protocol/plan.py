"""What is asked for: a strategy (requested), a plan (what fits), and its micro-batching.

A worker is given plans only: nothing in them is left to a default, so a plan's hash names exactly
one training run. Numbers that follow from others are properties and cannot disagree.

Micro-batching changes speed and memory, never the mathematics: which conversations make a step, the
number of steps and the schedule do not depend on it. `oom_recovery` says which is tried where one
does not fit.
"""

import hashlib
import math
from typing import Annotated, Literal

from pydantic import Field

from autotune.base.model import ANY_CASE, Boundary
from autotune.protocol.choices import Precision, Supervision, Truncation
from autotune.protocol.held_out import HELD_OUT_FRACTIONS
from autotune.protocol.space import SEARCHABLE, Space, Value


class MicroBatching(Boundary):
    """At most `micro_batch_tokens` at a time; whether activations are computed again in backward.

    A row that is longer than that is a micro-batch of its own.
    """

    micro_batch_tokens: Annotated[int, Field(ge=1)]
    gradient_checkpointing: bool

    @property
    def words(self) -> str:
        """For a person: `micro-batches of 256 tokens and gradient checkpointing`."""
        end = " and gradient checkpointing" if self.gradient_checkpointing else ""
        return f"micro-batches of {self.micro_batch_tokens} tokens{end}"


SavingShare = Annotated[float, Field(gt=0, le=1)]
"""The share of a training's time that may go into saving; with 1 none is counted."""

DEFAULT_SAVING_SHARE = 0.02
"""Of three hours not four minutes, and of what a crash would cost at most the twenty minutes of
`protocol.save_pace`."""

Rounds = Annotated[Annotated[int, Field(ge=1)] | Literal["all"], ANY_CASE]
"""How many user+assistant pairs of a conversation are kept; `all` keeps every one."""

RequestedRounds = Annotated[Annotated[int, Field(ge=1)] | Literal["all", "fits"], ANY_CASE]
"""The same as a strategy asks for it; `fits` is the most that the probe found to stay whole."""


class DataSpec(Boundary):
    """A chat file on this machine and how to read it.

    `drop_prompts` is a prompts file: rows in which one of its prompts stands are left out.
    """

    path: str
    format: str
    supervision: Supervision = Supervision.CONTENT
    truncation: Truncation = Truncation.RIGHT
    skip_bad: Annotated[int, Field(ge=0)] = 0
    max_conversations: Annotated[int, Field(ge=1)] | None = None
    drop_prompts: str | None = None


class TrialPoint(Boundary):
    """One question to the memory: does a training step of this shape fit?

    Lengths in tokens. `row_tokens` is the length of the longest row that the data keeps at this
    point, so it is the shape that the trial really runs. With `packing` rows are laid end to end
    instead of being filled up to the longest; with `torch_compile` the layers are compiled.
    """

    model_max_length: Annotated[int, Field(ge=1)]
    max_rounds: Rounds
    micro_batch_tokens: Annotated[int, Field(ge=1)]
    gradient_checkpointing: bool
    packing: bool = False
    torch_compile: bool = False
    row_tokens: Annotated[int, Field(ge=1)]


AverageCount = Literal[0] | Annotated[int, Field(ge=2)]
"""How many of the last scored checkpoints are averaged into one more candidate; 0 for none."""


Scheduler = Literal["cosine", "linear", "constant"]

NoiseAlpha = Annotated[float, Field(ge=0, le=100)]
"""How much noise the embeddings get while training (NEFTune, arXiv 2310.05914), 0 for none. The
paper takes 5 to 15; its key has the name that it has in transformers and trl."""

SEARCH = "search"
"""The name of the stage after the strategies, whose points are drawn."""


MixedShare = Annotated[float, Field(gt=0, le=1)]
"""How much of what a strategy trains on is its own data, by conversations. Tokens would have to be
counted before anything could be drawn, and it is conversations that a step takes."""


class Strategy(Boundary):
    """One row of a profile's escalation: what to train with if memory allows.

    `data` and `max_conversations` stand in for the profile's, where they are given: conversations
    of its own, and how many of them. With `mix` its own data is that share of what it trains on,
    and the rest is drawn from the profile's; absent, it trains on its own only. `max_conversations`
    is of both together.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    title: str = ""
    data: Annotated[str, Field(min_length=1)] | None = None
    max_conversations: Annotated[int, Field(ge=1)] | None = None
    mix: MixedShare | None = None
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    num_train_epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    model_max_length: Annotated[Annotated[int, Field(ge=16)] | Literal["fits"], ANY_CASE]
    max_rounds: RequestedRounds
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    lr_scheduler_type: Annotated[Scheduler, ANY_CASE] = "cosine"
    neftune_noise_alpha: NoiseAlpha = 0.0
    average_checkpoints: AverageCount = 0
    fallback: bool = False
    n_trials: Annotated[int, Field(ge=1)] = 1
    search: Space = {}

    @property
    def point(self) -> dict[str, Value]:
        """Its values of the searchable keys."""
        return {key: getattr(self, key) for key in SEARCHABLE}


class TrainPlan(Boundary):
    """Everything one training run is given; equal plans give equal weights.

    `batch_size` is conversations per optimizer step, whatever the micro-batches. `conversations`
    is how many rows are trained on: those that the data keeps at this length and these rounds,
    without the `held_out` ones, whose loss is measured on the way.
    """

    strategy: str
    model_folder: str
    data: DataSpec
    conversations: Annotated[int, Field(ge=1)]
    model_max_length: Annotated[int, Field(ge=1)]
    max_rounds: Rounds
    micro_batch_tokens: Annotated[int, Field(ge=1)]
    gradient_checkpointing: bool
    packing: bool = False
    torch_compile: bool = False
    precision: Precision
    learning_rate: Annotated[float, Field(gt=0)]
    num_train_epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    lr_scheduler_type: Scheduler
    neftune_noise_alpha: NoiseAlpha = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    seed: int
    checkpoint_fractions: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    average_checkpoints: AverageCount = 0
    held_out: Annotated[int, Field(ge=0)] = 0
    resume_every_seconds: Annotated[float, Field(gt=0)]
    saving_share: SavingShare = DEFAULT_SAVING_SHARE

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch; the last one may hold fewer conversations."""
        return math.ceil(self.conversations / self.batch_size)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.steps_per_epoch * self.num_train_epochs

    @property
    def warmup_steps(self) -> int:
        """Steps over which the learning rate rises, rounded up as transformers does."""
        return math.ceil(self.total_steps * self.warmup_ratio)

    @property
    def checkpoint_steps(self) -> dict[int, float]:
        """Step -> progress of every checkpoint to score, fractions of the final step count.

        A checkpoint stands at the first step that has reached its fraction. Fractions that meet
        in one step are one checkpoint, kept under the later fraction.
        """
        return {self._step_at(f): f for f in sorted(self.checkpoint_fractions)}

    @property
    def kept_conversations(self) -> int:
        """How many rows the data keeps: those that are trained on and those that are held out."""
        return self.conversations + self.held_out

    @property
    def held_out_steps(self) -> tuple[int, ...]:
        """The steps after which the held-out loss is measured, rising; 0 is before the first.

        None where nothing is held out.
        """
        if not self.held_out:
            return ()
        return (0, *sorted({self._step_at(f) for f in HELD_OUT_FRACTIONS}))

    def _step_at(self, fraction: float) -> int:
        """The first step that has reached a fraction of all."""
        # A billionth of a step less, so that 0.95 of 20 steps is the 19th in floating point too.
        return max(1, math.ceil(self.total_steps * fraction - 1e-9))

    @property
    def micro_batching(self) -> MicroBatching:
        """How its steps are split into micro-batches, to begin with."""
        return MicroBatching(
            micro_batch_tokens=self.micro_batch_tokens,
            gradient_checkpointing=self.gradient_checkpointing,
        )

    @property
    def averaged(self) -> int:
        """How many checkpoints are averaged: as requested, or all where there are fewer; else 0."""
        count = min(self.average_checkpoints, len(self.checkpoint_steps))
        return count if count >= 2 else 0

    @property
    def identity(self) -> str:
        """Hash of all that changes the weights; a checkpoint of another identity is not resumed.

        How a step is split into micro-batches, packing, checkpointing, compiling and how often
        state is saved change speed and memory, never the mathematics, so they are left out; and so
        is what is averaged when all is trained. A key that came later counts where it is used only,
        so that a training that an earlier version began is still the same one.
        """
        neutral = {
            "micro_batch_tokens",
            "gradient_checkpointing",
            "packing",
            "torch_compile",
            "average_checkpoints",
            "resume_every_seconds",
            "saving_share",
        }
        # What a version did not know it did not do: its checkpoints are of the same training.
        unused = {key for key in ("neftune_noise_alpha", "held_out") if not getattr(self, key)}
        unknown = {"drop_prompts"} if self.data.drop_prompts is None else set[str]()
        text = self.model_dump_json(
            exclude={**dict.fromkeys(neutral | unused, True), "data": unknown}
        )
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
