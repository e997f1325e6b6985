"""The first setting in which two profiles differ, by its name, for a line to a person."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Keys = tuple[str, ...]


def difference_of(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first setting that is not the same, such as `train.seed = 42, now 7`.

    Both are trees as a profile's TOML has them, which differ; the key is what `--set` calls it. One
    that only `now` has comes last: of a setting that a version did not know it is the default.
    """
    names = [[str(each.get("name")) for each in _strategies(tree)] for tree in (before, now)]
    if names[0] != names[1]:
        stood, stand = (", ".join(each) for each in names)
        return f"strategies {stood}, now {stand}"
    old, new = dict(_settings(before)), dict(_settings(now))
    for keys in (*old, *new):
        if (keys in old, old.get(keys)) != (keys in new, new.get(keys)):
            was = f"= {_shown(old[keys])}" if keys in old else "not set"
            return f"{'.'.join(keys)} {was}, now {_shown(new[keys]) if keys in new else 'not set'}"
    return "a table without a key"


def _strategies(tree: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = tree.get("strategy")
    return [s for s in found if isinstance(s, Mapping)] if isinstance(found, list) else []


def _settings(tree: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    """Every setting with its value, a strategy's under its name."""
    for key, value in tree.items():
        if key != "strategy":
            yield from _leaves((key,), value)
    for strategy in _strategies(tree):
        yield from _leaves((str(strategy.get("name")),), strategy)


def _leaves(keys: Keys, value: Any) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _leaves((*keys, key), below)
    else:
        yield keys, value


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
