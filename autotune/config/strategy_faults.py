"""What is wrong between the strategies of a profile, and in what they search."""

from collections.abc import Mapping, Sequence
from typing import Any

from autotune.config.study import own_range_faults, space_faults
from autotune.protocol.plan import SEARCH


def strategy_faults(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong between the strategies and in their search ranges, tables in file order.

    Takes tables that may have other faults, and is silent about those.
    """
    if not tables:
        return ["must hold at least one [[strategy]]"]
    names = [table.get("name") for table in tables]
    faults = [
        f'"{name}" is there {_times(names.count(name))}: names must differ'
        for name in dict.fromkeys(names)
        if name is not None and names.count(name) > 1
    ]
    fallbacks = [table.get("fallback") is True for table in tables]
    if fallbacks[0]:
        faults.append("the first must not be a fallback: there is nothing to fall back from")
    elif fallbacks != sorted(fallbacks):
        faults.append("fallbacks must stand last")
    for table in tables:
        if table.get("name") == SEARCH:
            faults.append(f'"{SEARCH}" is the name of what follows the strategies: choose another')
        if table.get("mix") is not None and table.get("data") is None:
            faults.append(
                f'"{table.get("name")}" has mix, the share of its own data, and names none: give it'
                " data, or leave mix out"
            )
        space = table.get("search")
        if isinstance(space, Mapping):
            faults += space_faults(f"{table.get('name')}.search.", space)
        faults += own_range_faults(table)
    return faults


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"
