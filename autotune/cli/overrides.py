"""Options put in their places in a profile, and the line about one that breaks its rule."""

import json
from typing import Any

from pydantic import ValidationError

from autotune.base.errors import BadInput
from autotune.base.sizes import near_size
from autotune.cli.options import SETTINGS, Options
from autotune.config.profile import Profile
from autotune.data.formats import FORMATS
from autotune.data.reading import AUTO
from autotune.protocol.plan import LENGTH_GRID
from autotune.score.registry import SCORERS

_PLACES = {name: setting.place for name, setting in SETTINGS.items() if setting.place is not None}
_COUNTS = {name for name, setting in SETTINGS.items() if setting.count}


def adjusted(options: Options, profile: Profile) -> Profile:
    """The profile with all options in place, validated once; a fault names its option."""
    tree: dict[str, Any] = json.loads(profile.model_dump_json(by_alias=True))
    typed = {
        name: value
        for name in (*_PLACES, "model_max_length", "max_rounds")
        if (value := getattr(options, name)) is not None
    }
    wrong = {name for name, value in typed.items() if not well_formed(name, value)}
    for name, value in typed.items():
        if name not in wrong:
            put(tree, name, count(name, value) if name in _COUNTS else value)
    try:
        found = Profile.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        places = [fault["loc"] for fault in error.errors()]
        # The profile was valid before, so some option is at fault.
        wrong |= {n for n in typed if any(stands_at(n, place) for place in places)} or set(typed)
    for name, value in typed.items():
        if name in wrong:
            raise refused(name, value)
    return found


def well_formed(name: str, value: Any) -> bool:
    """Whether a value keeps the rules that are the option's own and not its place's."""
    if name == "format":
        return value in (AUTO, *FORMATS)
    return name not in _COUNTS or is_count(value)


def stands_at(name: str, place: tuple[int | str, ...]) -> bool:
    """Whether an option is what stands at a place of the profile, as pydantic names places."""
    if name == "max_rounds":
        return place[0] == "strategy" and name in place
    if name == "model_max_length":
        return name in place or (place[0] == "probe" and place[1] in ("min_length", "max_length"))
    return place[:2] == _PLACES[name]


def put(tree: dict[str, Any], name: str, value: Any) -> None:
    """Set an option's place, or places, in the profile's tree."""
    if name == "max_rounds":
        for strategy in tree["strategy"]:
            strategy["max_rounds"] = value
    elif name == "model_max_length":
        for strategy in tree["strategy"]:
            strategy["model_max_length"] = value
        tree["probe"]["max_length"] = value
        tree["probe"]["min_length"] = min(tree["probe"]["min_length"], value)
    else:
        table, key = _PLACES[name]
        # The profile leaves the key out where all conversations are meant.
        if name == "max_conversations" and value == "all":
            value = None
        tree[table][key] = not value if name == "full" else value


def count(name: str, value: str) -> int | str:
    """`all`, or a whole number from 1."""
    if not is_count(value):
        raise refused(name, value)
    return value if value == "all" else int(value)


def is_count(value: str) -> bool:
    """Whether a text is `all`, or a whole number from 1."""
    return value == "all" or (value.isascii() and value.isdigit() and int(value) >= 1)


def refused(name: str, value: Any) -> BadInput:
    """The one line about an option that breaks its rule."""
    rule = SETTINGS[name].rule or ("cannot be used" if value else "must not be empty; leave it out")
    rule = rule.format(grid=LENGTH_GRID, scorers=", ".join(sorted(SCORERS)))
    near = near_size(str(value)) if name == "vram_budget" else None
    meant = f"; did you mean {near}?" if near else ""
    return BadInput(f"--{name.replace('_', '-')} {value}: {rule}{meant}")
