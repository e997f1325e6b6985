"""Each option's place in a profile, and its rule in the words of the command line."""

import json
from typing import Any

from pydantic import ValidationError

from autotune.base.errors import BadInput
from autotune.base.sizes import near_size
from autotune.cli.options import Options
from autotune.config.profile import Profile
from autotune.data.formats import FORMATS
from autotune.data.reading import AUTO
from autotune.protocol.plan import LENGTH_GRID
from autotune.score.registry import SCORERS

_PLACES = {
    "model": ("model", "source"),
    "data": ("data", "source"),
    "format": ("data", "format"),
    "skip_bad": ("data", "skip_bad"),
    "prompts": ("prompts", "source"),
    "prompt_limit": ("prompts", "limit"),
    "scorer": ("prompts", "scorer"),
    "max_conversations": ("train", "max_conversations"),
    "supervision": ("train", "supervision"),
    "truncation": ("train", "truncation"),
    "holdout": ("evaluate", "holdout"),
    "full": ("evaluate", "early"),
    "think": ("evaluate", "think"),
    "max_new_tokens": ("evaluate", "max_new_tokens"),
    "seed": ("train", "seed"),
    "vram_budget": ("machine", "budget"),
    "device": ("machine", "device"),
    "precision": ("machine", "precision"),
}
_COUNTS = {"prompt_limit", "max_conversations", "max_rounds"}
_RULES = {
    "format": "must be auto, messages, conversations, alpaca or prompt_completion",
    "skip_bad": "must be 0 or more",
    "prompt_limit": "must be a whole number from 1, or all",
    "max_conversations": "must be a whole number from 1, or all",
    "max_rounds": "must be a whole number from 1, or all",
    "model_max_length": f"must be a multiple of {LENGTH_GRID}, from {LENGTH_GRID} up",
    "supervision": "must be content or course",
    "truncation": "must be right or left",
    "think": "must be keep or strip",
    "seed": "must be a whole number from 0 up",
    "max_new_tokens": "must be a whole number from 1",
    "vram_budget": "must be auto, or a size above 0 with its unit, such as 7.2GiB",
    "device": "must be auto, cuda, cuda:N or cpu",
    "precision": "must be auto, fp16, bf16 or fp32",
}


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
    rule = _RULES.get(name, "cannot be used" if value else "must not be empty; leave it out")
    if name == "scorer":
        rule = f"must be one of {', '.join(sorted(SCORERS))}"
    near = near_size(str(value)) if name == "vram_budget" else None
    meant = f"; did you mean {near}?" if near else ""
    return BadInput(f"--{name.replace('_', '-')} {value}: {rule}{meant}")
