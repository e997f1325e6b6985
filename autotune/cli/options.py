"""The options that set something in a profile or that several commands have, each declared once.

A field of `Options` is the whole of an option: its type and, as a `Setting`, the commands that have
it, its help, what it sets and its rule. `autotune.cli.parameters` gives them to the commands, and
`autotune.cli.overrides` puts what was typed into the profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from autotune.base.format import either
from autotune.cli.practice_options import PracticeOptions
from autotune.cli.setting import (
    ANSWERING,
    BY_PROFILE,
    COMPUTING,
    JUDGING,
    READING,
    SCORING,
    SHARING,
    Command,
    Setting,
    option,
)
from autotune.data.formats import FORMATS
from autotune.protocol.choices import AUTO, Precision, Sampler, Supervision, Think, Truncation
from autotune.protocol.device_kind import DEVICE_RULE
from autotune.score.registry import SCORERS, unknown_scorer
from autotune.sources.named import DATA, MODELS, PROMPTS

if TYPE_CHECKING:
    from autotune.config.profile import Profile
    from autotune.config.project import Project


@dataclass(frozen=True, slots=True)
class Options(PracticeOptions):
    """Options as typed; None where one was not given.

    In the order of a command's help, those of `PracticeOptions` first. A further one, say of a
    profile's `train.batch_size`, is

        batch_size: int | None = option(
            ("run",), "Conversations in a step.", metavar="N", sets=("train.batch_size",)
        )

    here and nothing elsewhere.
    """

    profile: str | None = option(
        (*BY_PROFILE, "init"), "Default: by the machine.", metavar="NAME|FILE"
    )
    model: str | None = option(
        (*READING, "worker", "init"),
        "Model to fine-tune.",
        metavar="FOLDER|HUB-ID",
        names=MODELS,
        sets=("model.source",),
    )
    data: str | None = option(
        (*READING, "worker", "init"),
        "Conversations.",
        metavar="FILE|HUB-ID",
        names=DATA,
        sets=("data.source",),
    )
    format: str | None = option(
        READING,
        f"{either(FORMATS)}.",
        metavar="",
        choices=(AUTO, *FORMATS),
        sets=("data.format",),
    )
    prompts: str | None = option(
        (*READING, "synth", "worker", "eval", "eval compare"),
        "Prompts to score on.",
        metavar="FILE",
        names=PROMPTS,
        sets=("prompts.source",),
    )
    prompt_limit: str | None = option(
        SCORING,
        "Number of prompts (fixed subset).",
        count=True,
        sets=("prompts.limit",),
    )
    scorer: str | None = option(
        SCORING,
        "Scorer of the answers: instructions that a program checks, or exact final answers.",
        choices=SCORERS,
        rule=unknown_scorer(),
        sets=("prompts.scorer",),
    )
    max_new_tokens: int | None = option(
        ANSWERING,
        "Longest answer of an evaluation.",
        metavar="N",
        rule="must be a whole number from 1",
        sets=("evaluate.max_new_tokens",),
    )
    holdout: bool | None = option(
        ("run",),
        "Choose the best by one half of the prompts, report its score on the other.",
        spelled="--holdout/--no-holdout",
        sets=("evaluate.holdout",),
    )
    full: bool | None = option(
        ("run",),
        "Score every checkpoint in full, also where the target is out of its reach.",
        spelled="--full/--early",
        sets=("evaluate.early",),
        inverted=True,
    )
    think: str | None = option(
        JUDGING,
        "Judge answers with their <think>...</think>, or what follows it.",
        choices=tuple(Think),
        sets=("evaluate.think",),
    )
    model_max_length: int | None = option(
        READING,
        "At most so many tokens a sequence, whatever a strategy asks for.",
        metavar="N",
        grid=True,
        rule="must be a multiple of {grid}, from {grid} up",
        limits=(
            "strategy.*.model_max_length",
            "study.search.model_max_length",
            "probe.max_length",
            "probe.min_length",
        ),
    )
    max_rounds: str | None = option(
        READING,
        "At most so many user+assistant pairs a conversation.",
        count=True,
        limits=(
            "strategy.*.max_rounds",
            "strategy.*.search.max_rounds",
            "study.search.space.max_rounds",
            "probe.max_rounds",
        ),
    )
    max_conversations: str | None = option(
        READING,
        "Number of conversations to use.",
        count=True,
        absent="all",
        sets=("train.max_conversations",),
    )
    supervision: str | None = option(
        READING,
        "Which tokens are supervised.",
        choices=tuple(Supervision),
        sets=("train.supervision",),
    )
    truncation: str | None = option(
        READING, "Side that is truncated.", choices=tuple(Truncation), sets=("train.truncation",)
    )
    skip_bad: int | None = option(
        READING,
        "Faulty records to tolerate.",
        metavar="N",
        rule="must be 0 or more",
        sets=("data.skip_bad",),
    )
    vram_budget: str | None = option(
        COMPUTING,
        "Memory to use.",
        metavar=f"{AUTO}|7.2GiB",
        rule=f"must be {AUTO}, or a size above 0 with its unit, such as 7.2GiB",
        size=True,
        sets=("machine.budget",),
    )
    device: str | None = option(
        (*COMPUTING, "chat", "doctor", "profiles new"),
        "Where to compute.",
        metavar=f"{AUTO}|cuda[:N]|cpu",
        rule=DEVICE_RULE,
        any_case=True,
        sets=("machine.device",),
    )
    precision: str | None = option(
        (*COMPUTING, "chat"),
        "Compute precision.",
        choices=(AUTO, *Precision),
        sets=("machine.precision",),
    )
    seed: int | None = option(
        ("probe", "run", "synth"),
        "Same seed, same result.",
        rule="must be a whole number from 0 up",
        sets=("train.seed",),
    )
    max_hours: float | None = option(
        ("run", "init"),
        "Begin no trial but the first that would not end within so many hours of work.",
        metavar="HOURS",
        rule="must be above 0",
        sets=("study.max_hours",),
    )
    max_trials: int | None = option(
        ("run",),
        "At most so many trials.",
        metavar="N",
        rule="must be a whole number from 1",
        sets=("study.max_trials",),
    )
    strategies: str | None = option(
        ("run",), "The strategies to try, in this order.", several=True, sets=("study.strategies",)
    )
    trials_per_strategy: int | None = option(
        ("run",),
        "So many trials of each strategy: the first exact, the others drawn near it.",
        metavar="N",
        rule="must be a whole number from 1",
        sets=("strategy.*.n_trials",),
    )
    stop_at_target: bool | None = option(
        ("run",),
        "End as soon as the target is met, or use all trials and hours.",
        spelled="--stop-at-target/--no-stop-at-target",
        sets=("study.stop_at_target",),
    )
    sampler: str | None = option(
        ("run",), "What draws trials.", choices=tuple(Sampler), sets=("study.sampler",)
    )
    enqueue: Path | None = option(
        ("run",),
        "Points to try after the strategies, before any is drawn: JSON, one object a point.",
        metavar="FILE",
        points=True,
        sets=("study.enqueue",),
    )
    storage: str | None = option(
        SHARING,
        "Database of a study that several cards or machines work at; its password stands in"
        " PGPASSWORD or ~/.pgpass.",
        metavar="postgresql://USER@HOST/DATABASE",
    )
    study: str | None = option(
        SHARING, "Name of the study in --storage; default of run: its folder's.", metavar="NAME"
    )
    gpus: str | None = option(SHARING, "A worker for each card of this machine.", choices=("all",))
    changes: list[str] | None = option(
        BY_PROFILE,
        "Change one setting by its name, such as A.model_max_length=1280 or train.seed=7; may be"
        " given several times.",
        metavar="NAME=VALUE",
        spelled="--set",
    )
    explain: bool = option(
        (*READING, "synth"),
        "Show every setting with its value and its origin; start nothing.",
        False,
    )
    run_dir: Path | None = option(
        (*COMPUTING, "demo"),
        "Default: the unfinished one of these settings in runs/, or a new one.",
        metavar="FOLDER",
    )
    as_json: bool = option(
        get_args(Command),
        "Print one JSON object on standard output.",
        False,
        spelled="--json",
        last=True,
    )

    project: "Project | None" = None  # the `smolsft.toml` beside which they were typed

    @classmethod
    def of(cls, typed: Mapping[str, Any]) -> "Options":
        """The options of these names, in the case in which their values are known."""
        known = {name: each for name, each in SETTINGS.items() if name in typed}
        return cls(**{**typed, **{n: each.as_meant(typed[n]) for n, each in known.items()}})

    def assigns(self, name: str) -> bool:
        """Whether `--set` changes the setting of this name, its table typed in any case."""
        typed = (each.partition("=")[0].strip().partition(".") for each in self.changes or ())
        return any(f"{table.lower()}.{key}" == name for table, _, key in typed)

    def adjust(self, profile: "Profile") -> "Profile":
        """The profile with everything that was typed put in its place.

        Raises:
            BadInput: a value breaks its rule; the option and the rule are named.
        """
        from autotune.cli.overrides import adjusted

        return adjusted(self, profile)


_DECLARED = [each for each in fields(Options) if each.metadata]

SETTINGS: dict[str, Setting] = {f.name: f.metadata["setting"] for f in _DECLARED}
"""What each option is, by its name."""
