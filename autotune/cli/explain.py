"""`--explain`: every setting with its value and where that comes from; nothing is started."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from autotune.base.errors import ExitCode
from autotune.cli.assignments import assigned, assignments
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import named_profile, suitable
from autotune.cli.next_command import next_command
from autotune.cli.options import SETTINGS, Options
from autotune.cli.overrides import limited, of_project, placed, stands_at, typed_settings
from autotune.cli.setting import Command, Setting
from autotune.cli.target import DEFAULT_TARGET
from autotune.config.load import find_profile
from autotune.config.profile import Profile
from autotune.config.project import PROJECT_FILE
from autotune.screen.settings import settings_table

DEFAULT = "default"

Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """A setting, its value as JSON has it, and what gave it that value."""

    setting: str
    value: Any
    origin: str


def explain_command(
    options: Options, target: str | None = None, *, aims: bool = False, after: Command = "run"
) -> int:
    """`--explain` of the command `after`, which is next.

    One that `aims` has a `target`, None where it was not typed.
    """
    name = named_profile(options) or suitable(options, computes=False)
    rows = [Explained("profile", name, profile_origin(options))]
    if aims:
        share, origin = target_and_origin(options, target)
        rows.append(Explained("target", share, origin))
    rows += explained(options, find_profile(name))
    console = human_console(options.as_json)
    console.print(settings_table([(r.setting, shown(r.value), r.origin) for r in rows]))
    aimed = ("--target", target) if target is not None else ()
    say_on(console)(f"next: {next_command(after, options, *aimed)}")
    if options.as_json:
        print_json(
            {
                "settings": [
                    {"setting": r.setting, "value": r.value, "origin": r.origin} for r in rows
                ]
            }
        )
    return ExitCode.DONE


def profile_origin(options: Options) -> str:
    """What names the profile."""
    if options.profile:
        return "--profile"
    return PROJECT_FILE if named_profile(options) else "picked for this machine"


def target_and_origin(options: Options, typed: str | None) -> tuple[str, str]:
    """The target of a run, and where it comes from."""
    if typed is not None:
        return typed, "--target"
    if options.project is not None and options.project.target is not None:
        return f"{options.project.target:g}", PROJECT_FILE
    return DEFAULT_TARGET, DEFAULT


def explained(options: Options, profile: Profile) -> list[Explained]:
    """Every setting of a profile with these options, in the order of its keys.

    Raises:
        BadInput: a value that was typed breaks its rule.
    """
    project, below = options.project, of_project(options, profile)
    named = assigned(placed(options, below), options.changes)
    wanted = [a.keys for a in assignments(profile, options.changes or ())]
    before, tree = _tree(named), _tree(limited(options, named))
    typed = {name: SETTINGS[name] for name in typed_settings(options)}

    def origin(keys: Keys) -> str:
        if _at(before, keys) != _at(tree, keys):
            return " and ".join(
                _spelled(n, s, options) for n, s in typed.items() if s.limits and stands_at(s, keys)
            )
        if any(keys[: len(name)] == name[: len(keys)] for name in wanted):
            return "--set"
        for name, setting in typed.items():
            if setting.sets and stands_at(setting, keys):
                return _spelled(name, setting, options)
        if project is not None and project.sets(keys, profile):
            return PROJECT_FILE
        return f"profile {profile.name}" if is_in_file(profile, keys) else DEFAULT

    strategies = [s.name for s in profile.strategies]
    return [
        Explained(_name(keys, strategies), value, origin(keys))
        for keys, value in _leaves(tree)
        if keys not in (("name",), ("title",))
    ]


def shown(value: Any) -> str:
    """A value for a person, as TOML would have it; `not set` for none."""
    if value is None or value == {}:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def is_in_file(profile: Profile, keys: Keys) -> bool:
    """Whether a profile's file says it, and not only the default of a key that is left out."""
    value: Any = profile
    for key in keys:
        if isinstance(value, BaseModel):
            names = {f.alias or name: name for name, f in type(value).model_fields.items()}
            if names[str(key)] not in value.model_fields_set:
                return False
            value = getattr(value, names[str(key)])
        elif isinstance(value, dict | tuple):
            value = value[key]  # type: ignore[index] # a place in a list, or a key of a table
        else:
            return True
    return True


def _tree(profile: Profile) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(profile.model_dump_json(by_alias=True))
    return tree


def _at(tree: Any, keys: Keys) -> Any:
    for key in keys:
        tree = tree[key]
    return tree


def _leaves(tree: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every key that holds no table, with its value."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from _leaves(value, (*keys, key))
    elif keys == ("strategy",):
        for at, strategy in enumerate(tree):
            yield from _leaves(strategy, (*keys, at))
    else:
        yield keys, tree


def _name(keys: Keys, strategies: Sequence[str]) -> str:
    """As `--set` takes it: `train.seed`, `A.seed`."""
    if keys[0] == "strategy" and isinstance(keys[1], int):
        keys = (strategies[keys[1]], *keys[2:])
    return ".".join(map(str, keys))


def _spelled(name: str, setting: Setting, options: Options) -> str:
    """How it was typed; of a switch and its opposite the one that was."""
    either = setting.spelling(name).split("/")
    return either[0] if getattr(options, name) is not False else either[-1]
