"""The options: what each stands for, what a person typed, and the profile that comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autotune.config.profile import Profile


@dataclass(frozen=True, slots=True)
class Setting:
    """What an option stands for.

    Attributes:
        place: table and key of the profile that it sets; None where that is more than one place,
            or none.
        rule: in the words of the command line. `{grid}` and `{scorers}` are filled in where the
            rule is said: what knows them takes long to load.
        choice: it has a few values to choose from, so that `AUTO` can only be `auto`.
        count: a whole number from 1, or `all`.
        names: what it may name beside a file or a folder, which keeps its case.
    """

    place: tuple[str, str] | None = None
    rule: str | None = None
    choice: bool = False
    count: bool = False
    names: frozenset[str] = frozenset()


_COUNT_RULE = "must be a whole number from 1, or all"


def _sets(
    place: str | None = None,
    rule: str | None = None,
    *,
    choice: bool = False,
    count: bool = False,
    names: tuple[str, ...] = (),
) -> Any:
    """An option that sets `table.key` of a profile."""
    table, _, key = (place or "").partition(".")
    where = (table, key) if place else None
    rule = _COUNT_RULE if count else rule
    setting = Setting(where, rule, choice or count, count, frozenset(names))
    return field(default=None, metadata={"setting": setting})


@dataclass(frozen=True, slots=True)
class Options:
    """Options as typed; None where one was not given.

    Beside each stands what it sets in a profile and its rule. A further one, say of a profile's
    `train.batch_size`, is

        batch_size: int | None = _sets("train.batch_size", "must be a whole number from 1")

    here, its spelling and help in `autotune.cli.parameters`, and a parameter of the commands that
    have it. Where several are at fault, the first one here is named.
    """

    profile: str | None = None
    model: str | None = _sets("model.source", names=("demo", "toy"))
    data: str | None = _sets("data.source", names=("demo",))
    format: str | None = _sets(
        "data.format",
        "must be auto, messages, conversations, alpaca or prompt_completion",
        choice=True,
    )
    skip_bad: int | None = _sets("data.skip_bad", "must be 0 or more")
    prompts: str | None = _sets("prompts.source", names=("demo", "ifeval"))
    prompt_limit: str | None = _sets("prompts.limit", count=True)
    scorer: str | None = _sets("prompts.scorer", "must be one of {scorers}")
    max_conversations: str | None = _sets("train.max_conversations", count=True)
    supervision: str | None = _sets("train.supervision", "must be content or course", choice=True)
    truncation: str | None = _sets("train.truncation", "must be right or left", choice=True)
    holdout: bool | None = _sets("evaluate.holdout")
    full: bool | None = _sets("evaluate.early")
    think: str | None = _sets("evaluate.think", "must be keep or strip", choice=True)
    max_new_tokens: int | None = _sets("evaluate.max_new_tokens", "must be a whole number from 1")
    seed: int | None = _sets("train.seed", "must be a whole number from 0 up")
    vram_budget: str | None = _sets(
        "machine.budget", "must be auto, or a size above 0 with its unit, such as 7.2GiB"
    )
    device: str | None = _sets("machine.device", "must be auto, cuda, cuda:N or cpu", choice=True)
    precision: str | None = _sets(
        "machine.precision", "must be auto, fp16, bf16 or fp32", choice=True
    )
    model_max_length: int | None = _sets(rule="must be a multiple of {grid}, from {grid} up")
    max_rounds: str | None = _sets(count=True)
    run_dir: Path | None = None

    @classmethod
    def of(cls, named: Mapping[str, Any]) -> "Options":
        """The options among these named values; other names (target, json) are left alone."""
        known = {f.name for f in fields(cls)}
        typed = {name: value for name, value in named.items() if name in known}
        return cls(**{name: _as_meant(name, value) for name, value in typed.items()})

    def adjust(self, profile: "Profile") -> "Profile":
        """The profile with everything that was typed put in its place.

        Raises:
            BadInput: a value breaks its rule; the option and the rule are named.
        """
        from autotune.cli.overrides import adjusted

        return adjusted(self, profile)


def _as_meant(name: str, value: Any) -> Any:
    """A value in the case in which it is known, where the case says nothing."""
    if not isinstance(value, str):
        return value
    low = value.lower()
    setting = SETTINGS.get(name, Setting())
    named = low in setting.names and not Path(value).exists()
    return low if setting.choice or named else value


SETTINGS: dict[str, Setting] = {
    f.name: f.metadata["setting"] for f in fields(Options) if "setting" in f.metadata
}
"""What each option stands for, by its name."""
