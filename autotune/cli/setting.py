"""What an option is: which commands have it, how it is typed, what it sets and by which rule."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from autotune.base.format import either

Command = Literal[
    "inspect",
    "probe",
    "run",
    "synth",
    "worker",
    "demo",
    "eval",
    "eval compare",
    "chat",
    "report",
    "export",
    "watch",
    "runs",
    "doctor",
    "init",
    "profiles list",
    "profiles show",
    "profiles new",
    "profiles schema",
]
"""The commands, as they are called."""

READING: tuple[Command, ...] = ("inspect", "probe", "run")
"""Commands that read conversations."""

ANSWERING: tuple[Command, ...] = ("probe", "run", "eval")
"""Commands that have a model answer the prompts that score, or make room for it."""

SCORING: tuple[Command, ...] = (*ANSWERING, "eval compare")
"""Commands to which it matters which prompts there are and what judges their answers."""

COMPUTING: tuple[Command, ...] = (*ANSWERING, "synth", "worker")
"""Commands whose work is done on a device."""

JUDGING: tuple[Command, ...] = ("run", "eval", "eval compare")
"""Commands that judge answers."""

SHARING: tuple[Command, ...] = ("run", "worker")
"""Commands that work at a study in a database."""

BY_PROFILE: tuple[Command, ...] = (*READING, "synth", "eval", "eval compare", "doctor")
"""Commands that work by a profile, and so by the `smolsft.toml` of the current folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One option.

    Attributes:
        commands: those that have it.
        help: what it is for, in a few words.
        metavar: what stands for its value in the help, where that is not made of the rest; empty
            where its type does.
        spelled: how it is typed, where that is not its name: a switch with its opposite.
        last: in the help it stands below the options that only this command has.
        sets: the places of a profile that take its value, each `table.key`; `strategy.*.key` is a
            key of every strategy. None where it sets nothing there.
        limits: the places of a profile that may not be above its value and are lowered to it. What
            has no number there (`fits`) stays: what it comes to is limited by another place.
        inverted: a switch whose place says the opposite.
        absent: the value that a profile expresses by leaving the key out.
        rule: what a value must be, where that is not made of the rest. `{grid}` is filled in with
            the grid of lengths.
        choices: the few values that there are; a table that may still grow.
        any_case: its values are known in lower case, however they are typed.
        count: a whole number from 1, or `all`.
        size: a size of memory, of which a near one can be guessed.
        several: names of the profile's strategies, separated by commas.
        grid: a length on the grid on which lengths are searched.
        names: what it may name beside a file or a folder, which keeps its case.
        points: a file of points to try.
    """

    commands: Collection[Command]
    help: str
    metavar: str | None = None
    spelled: str | None = None
    last: bool = False
    sets: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    several: bool = False
    grid: bool = False
    inverted: bool = False
    absent: str | None = None
    rule: str | None = None
    choices: Collection[str] = ()
    any_case: bool = False
    count: bool = False
    size: bool = False
    names: Collection[str] = ()
    points: bool = False

    def spelling(self, name: str) -> str:
        """How the option of a field is typed, such as `--vram-budget` or `--full/--early`."""
        return self.spelled or f"--{name.replace('_', '-')}"

    @property
    def shown(self) -> str | None:
        """What stands for its value in the help; None leaves that to its type."""
        if self.count:
            return "N|all"
        if self.several:
            return "A,B,..."
        if self.metavar == "":
            return None
        words = [self.metavar] if self.metavar else []
        return "|".join([*words, *(self.names or self.choices)]) or None

    @property
    def must(self) -> str | None:
        """The rule of its values, which begins with `must`; None where every value will do."""
        if self.count:
            return self.rule or "must be a whole number from 1, or all"
        if self.several:
            return "must be names of strategies separated by commas, each once"
        return self.rule or (f"must be {either(self.choices)}" if self.choices else None)

    @property
    def ignores_case(self) -> bool:
        """Whether a value means the same in lower case."""
        return self.any_case or self.count or bool(self.choices)

    def as_meant(self, value: Any) -> Any:
        """A value in the case in which it is known, where the case says nothing."""
        if not isinstance(value, str):
            return value
        low = value.lower()
        named = low in self.names and not Path(value).exists()
        return low if self.ignores_case or named else value

    @property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """Every place of a profile that it may change, as its keys."""
        return tuple(tuple(place.split(".")) for place in (*self.sets, *self.limits))


def option(commands: tuple[Command, ...], help: str, default: Any = None, **setting: Any) -> Any:
    """A field of `Options`; further keywords are those of `Setting`."""
    return field(
        default=default, metadata={"setting": Setting(commands=commands, help=help, **setting)}
    )
