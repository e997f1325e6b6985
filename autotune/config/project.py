"""`smolsft.toml`: what every command in a folder works with, on top of a profile.

Its keys are a profile's, in tables; of a strategy those in `[strategy.A]`. Two more stand above all
tables: `profile`, the name or file of the profile, and `target` of a run. What counts before what:
docs/first-run.md.
"""

import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.base.near import near_or_known
from autotune.config.explain import faults_at, known_keys
from autotune.config.load import parse_toml, parse_toml_text, profile_path
from autotune.config.profile import Profile

PROJECT_FILE = "smolsft.toml"
"""Looked for in the current folder, and nowhere above it."""

OWN_KEYS = ("profile", "target")
"""Keys that no profile has."""

UNCHANGED = ("name", "title")
"""Keys of a profile that it does not take: they are what a profile is called by."""

Tree = dict[str, Any]
Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """A `smolsft.toml` that was read.

    Attributes:
        path: the file.
        profile: the profile that it names; None leaves that to the machine.
        target: the share of prompts (0..1) that a run is to pass; None leaves that to the command.
        changes: tables of a profile with the keys that it sets.
        faults: what is wrong with the two above, which are None then.
    """

    path: Path
    profile: str | None
    target: float | None
    changes: Mapping[str, Any]
    faults: tuple[str, ...] = ()

    def over(self, profile: Profile) -> Profile:
        """The profile with the file's keys in place of its own.

        Raises:
            BadInput: keys or values that break a rule, one line for each of all of them.
        """
        tree: Tree = json.loads(profile.model_dump_json(by_alias=True))
        own = [*self.faults, *_own_faults(self.changes, [s.name for s in profile.strategies])]
        for keys, value in self._settings(profile):
            put(tree, keys, value)
        text = json.dumps(tree, default=str)
        faults = faults_at(tree, text)
        if not own and not faults:
            return Profile.model_validate_json(text)
        raise _refused(self.path, [*own, *(f"{fault.subject}: {fault.rule}" for fault in faults)])

    def sets(self, keys: Keys, profile: Profile) -> bool:
        """Whether the file has a value of the profile, by its keys; a strategy by its place."""
        return any(
            place[: len(keys)] == keys or keys[: len(place)] == place
            for place, _ in self._settings(profile)
        )

    def value(self, table: str, key: str) -> Any:
        """What the file says of a key; None where it says nothing."""
        found = self.changes.get(table)
        return found.get(key) if isinstance(found, Mapping) else None

    def _settings(self, profile: Profile) -> Iterator[tuple[Keys, Any]]:
        """Every key with its value, as far as there is such a table or strategy."""
        names = [s.name for s in profile.strategies]
        for table, value in self.changes.items():
            if table in UNCHANGED or not known_keys((table,)):
                continue
            if table != "strategy":
                yield from leaves(value, (table,))
            elif isinstance(value, Mapping):
                for name, below in value.items():
                    if name in names and isinstance(below, Mapping):
                        yield from leaves(below, (table, names.index(name)))


def read_project(folder: Path) -> Project | None:
    """The `smolsft.toml` of a folder; None where there is none.

    Raises:
        BadInput: it is no UTF-8 or no TOML. What else is wrong with it `Project.over` says.
    """
    path = folder / PROJECT_FILE
    if not path.exists():
        return None
    return _project(parse_toml(path, PROJECT_FILE))


def parse_project(text: str) -> Project:
    """A text that is to become the `smolsft.toml` of the current folder.

    Raises:
        BadInput: as `read_project`.
    """
    return _project(parse_toml_text(text, PROJECT_FILE))


def _project(tree: Tree) -> Project:
    profile, target = tree.pop("profile", None), tree.pop("target", None)
    faults: list[str] = []
    if profile is not None and (wrong := _profile_fault(profile)) is not None:
        faults.append(f"profile = {_shown(profile)}: {wrong}")
        profile = None
    if target is not None and not _is_share(target):
        faults.append(f"target = {_shown(target)}: must be above 0 and at most 1{_meant(target)}")
        target = None
    return Project(Path(PROJECT_FILE), profile, target, tree, tuple(faults))


def put(tree: Tree, keys: Keys, value: Any) -> None:
    """Set a key of a profile's tree; tables on the way that are not there are made.

    What is no table gives way to one, which is its fault then.
    """
    table: Any = tree
    for key, below in pairwise(keys):
        holds = list if isinstance(below, int) else dict  # a strategy stands in a list
        if isinstance(table, dict) and not isinstance(table.get(str(key)), holds):
            table[str(key)] = {}
        table = table[key]
    table[keys[-1]] = copy.deepcopy(value)


def leaves(value: Any, keys: Keys) -> Iterator[tuple[Keys, Any]]:
    """Every value below some keys that is no table of a profile.

    A table whose keys are all in comments, such as `[study]`, changes nothing. Where a profile has
    no table of known keys an empty one is a value: `search = {}` takes a strategy's ranges away.
    """
    if isinstance(value, Mapping) and (value or known_keys(keys)):
        for key, below in value.items():
            yield from leaves(below, (*keys, key))
    else:
        yield keys, value


def _own_faults(changes: Mapping[str, Any], strategies: Sequence[str]) -> list[str]:
    """What a profile could not say: tables that it lacks, and strategies that it has not."""
    tables = [key for key in known_keys(()) if key not in UNCHANGED]
    found = []
    for table, value in changes.items():
        if table in UNCHANGED:
            found.append(f"{table}: names a profile; to use one write profile = {_shown(value)}")
        elif table not in tables:
            found.append(f"{table}: no such key; {near_or_known(table, [*OWN_KEYS, *tables])}")
        elif table == "strategy" and not isinstance(value, Mapping):
            found.append(
                "strategy: changes one of the profile's, such as [strategy.A]; to make others copy"
                " the profile: smolsft-autotune profiles new"
            )
        elif table == "strategy":
            found += [
                f"strategy.{name}: no such strategy; the profile has {', '.join(strategies)}"
                for name in value
                if name not in strategies
            ]
            found += [
                f"strategy.{name} = {_shown(below)}: must be a table, [strategy.{name}]"
                for name, below in value.items()
                if name in strategies and not isinstance(below, Mapping)
            ]
    return found


def _refused(path: Path, faults: Sequence[str]) -> BadInput:
    lines = list(dict.fromkeys(faults))
    count = counted(len(lines), "fault")
    return BadInput("\n".join([f"{path}: {count}", *(f"  {line}" for line in lines)]))


def _profile_fault(name: object) -> str | None:
    if not isinstance(name, str) or not name:
        return "must be the name of a profile or a file"
    try:
        profile_path(name)
    except BadInput as error:
        return str(error).removeprefix(f"profile {name}: ")
    return None


def _is_share(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 < value <= 1  # type: ignore[operator,arg-type]


def _meant(value: object) -> str:
    """The share that was probably meant by a percentage."""
    text = str(value).rstrip().removesuffix("%")
    try:
        number = float(text)
    except ValueError:
        return ""
    share = number / 100 if number > 1 or "%" in str(value) else number
    return f"; write {share:g}" if 0 < share <= 1 else ""


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
