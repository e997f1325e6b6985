"""What a person typed, and the profile that it makes of the one on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autotune.config.profile import Profile

_CHOICES = {
    *("format", "prompt_limit", "max_rounds", "max_conversations", "supervision"),
    *("truncation", "device", "precision", "think"),
}
"""Options with a few values to choose from, so that `AUTO` can only be `auto`."""

_NAMED = {
    "model": {"demo", "toy"},
    "data": {"demo"},
    "prompts": {"demo", "ifeval"},
}
"""Names beside which a file or a folder may be given, which keeps its case."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options as typed; None where one was not given."""

    profile: str | None = None
    model: str | None = None
    data: str | None = None
    format: str | None = None
    prompts: str | None = None
    prompt_limit: str | None = None
    scorer: str | None = None
    model_max_length: int | None = None
    max_rounds: str | None = None
    max_conversations: str | None = None
    supervision: str | None = None
    truncation: str | None = None
    skip_bad: int | None = None
    vram_budget: str | None = None
    device: str | None = None
    precision: str | None = None
    seed: int | None = None
    holdout: bool | None = None
    full: bool | None = None
    think: str | None = None
    max_new_tokens: int | None = None
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
    named = low in _NAMED.get(name, ()) and not Path(value).exists()
    return low if name in _CHOICES or named else value
