"""`--set`: one setting changed by its name, `STRATEGY.key=value` or `table.key=value`."""

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from autotune.base.errors import BadInput
from autotune.base.near import near_or_known
from autotune.config.explain import Fault, faults_at, known_keys
from autotune.config.profile import Profile

FORM = "must be STRATEGY.key=value or table.key=value, such as A.model_max_length=1280"

_OPENS_TOML = ("[", "{", '"', "'")
"""What no bare word begins with: a value that does and is no TOML is a slip."""

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A setting and what it becomes.

    Attributes:
        typed: what was typed behind `--set`.
        keys: where it stands in a profile; a strategy by its place.
        value: as JSON has it; None takes the key's default.
    """

    typed: str
    keys: tuple[str | int, ...]
    value: Any


def assigned(profile: Profile, typed: Sequence[str] | None) -> Profile:
    """The profile with these settings, in order: of two for the same key the later one holds.

    Raises:
        BadInput: one is no assignment, names no setting, or its value breaks the setting's rule;
            each that is at fault is named with its rule.
    """
    if not typed:
        return profile
    wanted = assignments(profile, typed)
    tree: Tree = json.loads(profile.model_dump_json(by_alias=True))
    for each in wanted:
        _put(tree, each)
    text = json.dumps(tree, default=str)
    faults = faults_at(tree, text)
    if not faults:
        return Profile.model_validate_json(text)
    raise BadInput("; and ".join(dict.fromkeys(_blamed(wanted, faults))))


def assignments(profile: Profile, typed: Sequence[str]) -> list[Assignment]:
    """What each of them names in this profile, and its value.

    Raises:
        BadInput: one is no assignment, or begins with no table or strategy of the profile.
    """
    return [_read(each, profile) for each in typed]


def _read(typed: str, profile: Profile) -> Assignment:
    name, equals, text = typed.partition("=")
    name, text = name.strip(), text.strip()
    if not equals or "." not in name or not all(part.strip() for part in name.split(".")):
        raise BadInput(f"--set {typed}: {FORM}")
    return Assignment(typed, _keys(typed, name, profile), _value(typed, text))


def _keys(typed: str, name: str, profile: Profile) -> tuple[str | int, ...]:
    """Where a name stands. A table goes before a strategy that is called like one.

    Both may be typed in any case; a strategy also as a fault of a profile has it, `strategy.A.key`.
    """
    head, _, rest = name.partition(".")
    tables = [key for key in known_keys(()) if known_keys((key,)) and key != "strategy"]
    table = next((each for each in tables if each == head.lower()), None)
    if table is not None:
        return (table, *rest.split("."))
    if head.lower() == "strategy" and "." in rest:
        name = rest
    names = [s.name for s in profile.strategies]
    for same in (str, str.lower):
        for at, strategy in enumerate(names):
            if same(name).startswith(f"{same(strategy)}."):
                return ("strategy", at, *name[len(strategy) + 1 :].split("."))
    hint = near_or_known(head, [*names, *tables])
    raise BadInput(f"--set {typed}: no strategy or table {head}; {hint}")


def _value(typed: str, text: str) -> Any:
    """A value as TOML has it; anything else that is no slip in TOML is a text of its own."""
    if not text:
        return None
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError as error:
        if text.startswith(_OPENS_TOML):
            why = " ".join(str(error).split())
            raise BadInput(f"--set {typed}: the value is no TOML ({why})") from None
        return text
    return found["value"] if len(found) == 1 else text


def _put(tree: Tree, wanted: Assignment) -> None:
    """Set a key in the profile's tree; tables on the way that are not there are made."""
    key = wanted.keys[-1]
    table: Any = tree
    for part, below in pairwise(wanted.keys):
        if isinstance(table, dict) and table.get(str(part)) is None:
            table[str(part)] = {}
        table = table[part]
        if not isinstance(table, list if isinstance(below, int) else dict):  # strategies are listed
            raise BadInput(f"--set {wanted.typed}: {part} is no table, so it has no key {key}")
    if wanted.value is None:
        table.pop(key, None)
    else:
        table[key] = wanted.value


def _blamed(wanted: Sequence[Assignment], faults: Sequence[Fault]) -> Iterator[str]:
    """A line for each assignment that a fault is about; of all where it is about none of them.

    The profile was valid before, so some of them are at fault. Of several of a key the last holds.
    """
    last = {each.keys: each for each in wanted}
    for fault in faults:
        about = [each for keys, each in last.items() if _is_about(fault.where, keys)]
        for each in about:
            # The rule alone where it is of the very key that was typed.
            own = fault.where == each.keys
            yield f"--set {each.typed}: {'' if own else f'{fault.subject}: '}{fault.rule}"
        if not about:
            typed = " --set ".join(each.typed for each in wanted)
            yield f"--set {typed}: {fault.subject}: {fault.rule}"


def _is_about(where: tuple[int | str, ...], keys: tuple[str | int, ...]) -> bool:
    """Whether a fault at a place is about a key: the same, one within it, or a table around it."""
    shorter = min(len(where), len(keys))
    return where[:shorter] == keys[:shorter]
