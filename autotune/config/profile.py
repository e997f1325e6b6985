"""A profile: one machine's limits, what is trained and scored on it, and its strategies in order.

Keys are those of the TOML file. Every rule of a key stands here, so that a profile that exists is
a profile that can be used.
"""

import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from autotune.base.errors import BadInput
from autotune.base.model import ANY_CASE, Boundary
from autotune.base.sizes import near_size, parse_size
from autotune.config.expected import Ranges
from autotune.config.strategy_faults import strategy_faults
from autotune.config.study import StudyChoice, study_faults
from autotune.config.synth import SynthChoice
from autotune.device.kinds import KINDS
from autotune.protocol.choices import AUTO, LENGTH_GRID, Precision, Supervision, Think, Truncation
from autotune.protocol.device_kind import DEVICE_RULE, DeviceKind
from autotune.protocol.plan import DEFAULT_SAVING_SHARE, Rounds, SavingShare, Strategy
from autotune.protocol.results import HealthLimits, Requirements
from autotune.protocol.scores import DEFAULT_SCORER
from autotune.score.registry import SCORERS, unknown_scorer


def _size(text: str) -> str:
    try:
        parse_size(text)
    except BadInput as error:
        near = near_size(text)
        meant = f"; did you mean {near}?" if near else ""
        raise ValueError(f"must be a size such as 7.2GiB{meant}") from error
    return text


def _size_or_auto(text: str) -> str:
    return AUTO if text.lower() == AUTO else _size(text)


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise ValueError(DEVICE_RULE)
    return text


def _capability(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d?\.\d", text):
        raise ValueError("must be a capability as CUDA counts, such as 8.9")
    return text


def _scorer(text: str) -> str:
    for name in SCORERS:
        if name.lower() == text.lower():
            return name
    raise ValueError(unknown_scorer())


def _rising(fractions: tuple[float, ...]) -> tuple[float, ...]:
    if any(left >= right for left, right in pairwise(fractions)):
        raise ValueError("must rise from one to the next")
    return fractions


def _grid(length: int) -> int:
    if length % LENGTH_GRID:
        raise ValueError(f"must be a multiple of {LENGTH_GRID}")
    return length


Text = Annotated[str, Field(min_length=1)]
GridLength = Annotated[int, Field(ge=LENGTH_GRID), AfterValidator(_grid)]
"""A length in tokens on the search grid."""


class Machine(Boundary):
    """Where to compute. Sizes as a person writes them, such as `7.2GiB`.

    `budget` is `auto` (what is free, less `reserve`) or a size, taken as it is. `memory` is what
    the card has, `capability` what CUDA calls its generation, such as `8.9`, and `tflops` its fp32
    peak in 10^12 operations a second; they serve only to plan for a card that is not there.
    `threads` absent leaves the number of CPU threads to torch.
    """

    device: Annotated[str, ANY_CASE, AfterValidator(_device)] = AUTO
    budget: Annotated[str, AfterValidator(_size_or_auto)]
    reserve: Annotated[str, AfterValidator(_size)]
    memory: Annotated[str, AfterValidator(_size)] | None = None
    capability: Annotated[str, AfterValidator(_capability)] | None = None
    tflops: Annotated[float, Field(gt=0)] | None = None
    precision: Annotated[Literal["auto"] | Precision, ANY_CASE]
    threads: Annotated[int, Field(ge=1)] | None = None


class ModelChoice(Boundary):
    """The model to train unless `--model` names another."""

    source: Text


class DataChoice(Boundary):
    """The conversations to train on unless `--data` names others.

    `skip_bad` is how many malformed records are passed over before the file is refused. With
    `drop_scored_prompts` rows in which a prompt of `[prompts]` stands are left out; else they are
    trained on, and said.
    """

    source: Text
    format: Annotated[Text, ANY_CASE] = AUTO
    skip_bad: Annotated[int, Field(ge=0)] = 0
    drop_scored_prompts: bool = False


class PromptChoice(Boundary):
    """The prompts to score on unless `--prompts` names others: all, or a fixed choice by seed.

    `scorer` names what judges the answers to them.
    """

    source: Text
    scorer: Annotated[str, AfterValidator(_scorer)] = DEFAULT_SCORER
    limit: Annotated[Annotated[int, Field(ge=1)] | Literal["all"], ANY_CASE]
    seed: Annotated[int, Field(ge=0)] = 0


class Probe(Boundary):
    """The bounds of the search for what fits. Lengths in tokens, on the search grid.

    `max_rounds` is how many rounds of a conversation it looks at, `all` for every one.
    `speed_trials` is how many further trials may look for the fastest micro-batching of a step, for
    all strategies together; 0 takes the way in which the length was searched. `torch_compile` says
    whether compiled layers are one of the ways: `auto` tries them on a card. On a CPU compiling
    takes minutes, which only a long training gets back.
    """

    min_length: GridLength
    max_length: GridLength
    gradient_checkpointing: bool
    trial_timeout_seconds: Annotated[float, Field(gt=0)]
    speed_trials: Annotated[int, Field(ge=0)] = 0
    torch_compile: Annotated[Literal["auto", "try", "never"], ANY_CASE] = "auto"
    max_rounds: Rounds = "all"

    def tries_compiling(self, kind: DeviceKind) -> bool:
        """Whether compiled layers are tried on this kind of device."""
        return KINDS[kind].compiles if self.torch_compile == "auto" else self.torch_compile == "try"

    @field_validator("max_length")
    @classmethod
    def _is_not_below_min(cls, value: int, info: ValidationInfo) -> int:
        low = info.data.get("min_length")
        if low is not None and value < low:
            raise ValueError(f"must be at least min_length, {low}")
        return value


class Train(Boundary):
    """What all strategies share. Fractions are of a run's final number of optimizer steps.

    `max_conversations` absent trains on all of them. Of those `held_out` are not trained on but
    tell how the training does, never more than a twentieth; with `prune_diverging` a training is
    ended where their loss says that it diverges (`docs/train.md`). It is saved for resuming no more
    often than `resume_every_seconds`, nor for more of its time than `saving_share`.
    """

    checkpoint_fractions: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], ...],
        Field(min_length=1),
        AfterValidator(_rising),
    ]
    resume_every_seconds: Annotated[float, Field(gt=0)]
    saving_share: SavingShare = DEFAULT_SAVING_SHARE
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    max_conversations: Annotated[int, Field(ge=1)] | None = None
    held_out: Annotated[int, Field(ge=0)] = 0
    prune_diverging: bool = True
    supervision: Annotated[Supervision, ANY_CASE]
    truncation: Annotated[Truncation, ANY_CASE]


class Evaluate(Boundary):
    """How checkpoints answer the prompts, and what their scores count for.

    A score counts for at most `score_per_lift` times its lift, what of it is following
    (`docs/health.md`); 0 counts it as it is. Answers beyond the limits of `health` are shown as
    bad; what `require` names must hold as well for a target to be met.

    With `holdout` the best checkpoint is chosen by a fixed half of the prompts, and its score on
    the other half is what is reported and held against the target. With `early` a checkpoint stops
    answering once the target is out of its reach or another is better (`docs/score.md`). With
    `reuse_untrained` the model before training answers prompts once on a machine, not in each run.
    `think` says which text of an answer that thinks is judged.
    """

    max_new_tokens: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    holdout: bool = False
    early: bool = True
    reuse_untrained: bool = True
    think: Annotated[Think, ANY_CASE] = Think.KEEP
    score_per_lift: Annotated[float, Field(ge=0)] = 4.0
    health: HealthLimits
    require: Requirements = Requirements()


class Profile(Boundary):
    """A whole profile. `watch` absent holds a training against its own course only.

    `synth` is what practice data is made of, where some is asked for. `spot_check` names a few
    prompts that the model answers before training and the best checkpoint after: they are shown
    beside the score, and decide nothing.

    `strategies`, in TOML the `[[strategy]]` tables, are in order of escalation; fallbacks stand
    last.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)]
    title: Text
    machine: Machine
    model: ModelChoice
    data: DataChoice
    prompts: PromptChoice
    probe: Probe
    train: Train
    evaluate: Evaluate
    spot_check: PromptChoice | None = None
    watch: Ranges | None = None
    strategies: Annotated[tuple[Strategy, ...], Field(alias="strategy")]
    study: StudyChoice = StudyChoice()
    synth: SynthChoice = SynthChoice()

    @property
    def tried(self) -> tuple[Strategy, ...]:
        """The strategies that a run tries, in order of escalation."""
        if self.study.strategies is None:
            return self.strategies
        named = {s.name: s for s in self.strategies}
        return tuple(named[name] for name in self.study.strategies)

    @field_validator("strategies")
    @classmethod
    def _fits_together(cls, strategies: tuple[Strategy, ...]) -> tuple[Strategy, ...]:
        faults = strategy_faults([s.model_dump() for s in strategies])
        if faults:
            raise ValueError("; ".join(faults))
        return strategies

    @field_validator("study")
    @classmethod
    def _ends(cls, study: StudyChoice, info: ValidationInfo) -> StudyChoice:
        if "strategies" in info.data:  # else they have faults of their own
            names = [s.name for s in info.data["strategies"]]
            if faults := study_faults(study, names):
                raise ValueError("; ".join(faults))
        return study
