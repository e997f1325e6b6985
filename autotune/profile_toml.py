"""A profile written as TOML again, as the record of what a run was resolved to."""

import json
from collections.abc import Mapping
from typing import Any

from autotune.profile import Profile


def profile_toml(profile: Profile) -> str:
    """TOML text that `read_profile` turns into an equal profile."""
    document = json.loads(profile.model_dump_json(by_alias=True, exclude_none=True))
    strategies = document.pop("strategy")
    lines = _table("", document)
    for strategy in strategies:
        lines += ["", "[[strategy]]", *_table("strategy", strategy)]
    return "\n".join(lines) + "\n"


def _table(name: str, table: Mapping[str, Any]) -> list[str]:
    """Lines of a table: its own keys, then the tables in it under their full names."""
    lines = [f"{k} = {_value(v)}" for k, v in table.items() if not isinstance(v, Mapping)]
    for key, inner in table.items():
        if isinstance(inner, Mapping):
            full = f"{name}.{key}" if name else key
            lines += ["", f"[{full}]", *_table(full, inner)]
    return lines


def _value(value: object) -> str:
    """A JSON scalar or list is TOML too, but for a control character that JSON leaves bare."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
