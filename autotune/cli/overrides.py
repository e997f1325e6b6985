"""Options put in their places in a profile, and the line about those that break their rules.

What counts, the later before the earlier: the default of a key, the profile, `smolsft.toml`, an
option, `--set`. Two options are limits (`Setting.limits`): they hold for all of these.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from autotune.base.errors import BadInput
from autotune.base.near import did_you_mean
from autotune.base.sizes import near_size
from autotune.cli.assignments import assigned
from autotune.cli.options import SETTINGS, Options
from autotune.cli.points import read_points
from autotune.cli.setting import Setting
from autotune.config.profile import Profile
from autotune.protocol.choices import LENGTH_GRID

_TABLES = ("model", "data", "prompts", "train", "evaluate", "machine", "strategy")
"""The tables that options set, in the order in which they are looked at: what is read comes before
what is done with it. Those of other tables come last."""


def adjusted(options: Options, profile: Profile) -> Profile:
    """The profile with everything that was typed in place, over what `smolsft.toml` says.

    Raises:
        BadInput: values break their rules; each is named with its rule.
    """
    profile = of_project(options, profile)
    return limited(options, assigned(placed(options, profile), options.changes))


def of_project(options: Options, profile: Profile) -> Profile:
    """The profile with the keys of `smolsft.toml`, where there is one.

    Raises:
        BadInput: the file has faults; all of them are named.
    """
    return profile if options.project is None else options.project.over(profile)


def placed(options: Options, profile: Profile) -> Profile:
    """The profile with the options that set something in place, validated once.

    Raises:
        BadInput: values break their rules, those of limits as well.
    """
    tree: dict[str, Any] = json.loads(profile.model_dump_json(by_alias=True))
    typed = typed_settings(options)
    names = [s.name for s in profile.strategies]
    wrong = {n for n, value in typed.items() if not well_formed(SETTINGS[n], value, names)}
    for name, value in typed.items():
        if name not in wrong:
            put(tree, SETTINGS[name], value)
    try:
        found = Profile.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        places = [fault["loc"] for fault in error.errors()]
        # The profile was valid before, so some option is at fault.
        at_fault = {n for n in typed if any(stands_at(SETTINGS[n], place) for place in places)}
        wrong |= at_fault or set(typed)
    if wrong:
        raise refused({n: value for n, value in typed.items() if n in wrong}, names)
    return found


def limited(options: Options, profile: Profile) -> Profile:
    """The profile in which nothing is above the limits that were typed."""
    limits = {n: v for n, v in typed_settings(options).items() if SETTINGS[n].limits and v != "all"}
    if not limits:
        return profile
    tree: dict[str, Any] = json.loads(profile.model_dump_json(by_alias=True))
    for name, value in limits.items():
        for place in SETTINGS[name].limits:
            for table, key in _tables(tree, place):
                if key in table:
                    table[key] = lower(table[key], int(value))
    return Profile.model_validate_json(json.dumps(tree))


def lower(value: Any, limit: int) -> Any:
    """A setting within a limit; `fits` stays, for what it comes to is limited elsewhere.

    Of choices each is, and those that come to the same are one.
    """
    if isinstance(value, list):
        return list(dict.fromkeys(lower(each, limit) for each in value))
    if value == "all":
        return limit
    return min(value, limit) if isinstance(value, int) else value


def typed_settings(options: Options) -> dict[str, Any]:
    """The options that were typed and have a place in a profile, in the order of its tables."""
    return {
        name: value
        for name, setting in sorted(SETTINGS.items(), key=lambda each: _rank(each[1]))
        if setting.places and (value := getattr(options, name)) is not None
    }


def _rank(setting: Setting) -> int:
    table = setting.places[0][0] if setting.places else ""
    return _TABLES.index(table) if table in _TABLES else len(_TABLES)


def well_formed(setting: Setting, value: Any, strategies: Sequence[str]) -> bool:
    """Whether a value keeps the rules that are the option's own and not its place's."""
    if setting.several:
        named = split(value)
        return len(set(named)) == len(named) and set(named) <= set(strategies)
    if setting.count:
        return is_count(value)
    if setting.grid:
        return int(value) >= LENGTH_GRID and int(value) % LENGTH_GRID == 0
    return not setting.choices or value.lower() in {each.lower() for each in setting.choices}


def split(value: str) -> list[str]:
    """The names of a list that was typed with commas."""
    return [name.strip() for name in value.split(",")]


def is_count(value: str) -> bool:
    """Whether a text is `all`, or a whole number from 1."""
    return value == "all" or (value.isascii() and value.isdigit() and int(value) >= 1)


def stands_at(setting: Setting, place: tuple[int | str, ...]) -> bool:
    """Whether an option is what stands at a place of the profile, as pydantic names places."""
    return any(
        len(place) >= len(keys)
        and all(key in ("*", part) for key, part in zip(keys, place, strict=False))
        for keys in setting.places
    )


def put(tree: dict[str, Any], setting: Setting, value: Any) -> None:
    """Set an option's places in the profile's tree."""
    if setting.count and value != "all":
        value = int(value)
    if setting.several:
        value = split(value)
    if setting.points:
        value = read_points(value)
    if setting.inverted:
        value = not value
    if value == setting.absent:
        value = None
    for place in setting.sets:
        for table, key in _tables(tree, place):
            table[key] = value


def _tables(tree: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The tables with the key of a place; of every strategy for a `*`.

    None where a table on the way is not there.
    """
    *path, key = place.split(".")
    found: list[Any] = [tree]
    for part in path:
        below = (table if part == "*" else [table[part]] for table in found)
        found = [table for tables in below for table in tables if table is not None]
    for table in found:
        yield table, key


def refused(wrong: Mapping[str, Any], strategies: Sequence[str] = ()) -> BadInput:
    """The line about the options that break their rules, in the order in which they are looked at.

    It has a fault after another, each with the option, its value and its rule. `strategies` are
    those of the profile.
    """
    found = (_refusal(name, value, strategies) for name, value in wrong.items())
    return BadInput("; and ".join(found))


def _refusal(name: str, value: Any, strategies: Sequence[str]) -> str:
    setting = SETTINGS[name]
    rule = setting.must or ("cannot be used" if value else "must not be empty; leave it out")
    if setting.several:
        rule += f"; the profile has {', '.join(strategies)}"
    near = near_size(str(value)) if setting.size else None
    meant = f"; did you mean {near}?" if near else did_you_mean(str(value), setting.choices)
    return f"{setting.spelling(name)} {value}: {rule.format(grid=LENGTH_GRID)}{meant}"
