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
    """The profile with the options in place, checked one by one: a fault names its option."""
    tree: dict[str, Any] = json.loads(profile.model_dump_json(by_alias=True))
    for name in (*_PLACES, "model_max_length", "max_rounds"):
        value = getattr(options, name)
        if value is None:
            continue
        if name == "full":
            value = not value
        if name == "format" and value not in (AUTO, *FORMATS):
            raise refused(name, value)
        put(tree, name, count(name, value) if name in _COUNTS else value)
        try:
            Profile.model_validate_json(json.dumps(tree))
        except ValidationError:
            raise refused(name, value) from None
    return Profile.model_validate_json(json.dumps(tree))


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
        tree[table][key] = None if name == "max_conversations" and value == "all" else value


def count(name: str, value: str) -> int | str:
    """`all`, or a whole number from 1."""
    if value == "all":
        return value
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise refused(name, value)
    return int(value)


def refused(name: str, value: Any) -> BadInput:
    """The one line about an option that breaks its rule."""
    rule = SETTINGS[name].rule or ("cannot be used" if value else "must not be empty; leave it out")
    rule = rule.format(grid=LENGTH_GRID, scorers=", ".join(sorted(SCORERS)))
    near = near_size(str(value)) if name == "vram_budget" else None
    meant = f"; did you mean {near}?" if near else ""
    return BadInput(f"--{name.replace('_', '-')} {value}: {rule}{meant}")
