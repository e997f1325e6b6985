"""Tools, calls and results of a record, in the one form that chat templates read.

That is OpenAI's, with the arguments of a call as an object and not as a text, as transformers asks
of who calls `apply_chat_template`. Read are OpenAI's `tools` and `tool_calls`, its older
`functions` and `function_call`, and the tables of ShareGPT's kind, where a turn of the role
`function_call` holds a call as JSON and one of the role `observation` what came of it.
"""

import json
from typing import Any

from autotune.data.conversation import Role, Unfit
from autotune.data.values import is_blank_value, spelled

RESULT_ROLES: dict[str, Role] = {
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
    "ipython": "tool",
}
"""Names of the role under which a tool's result stands."""

CALL_ROLE = "function_call"
"""The role of a turn whose whole text is a call."""

TOOL_KEYS, CALL_KEYS = ("tools", "functions"), ("tool_calls", "function_call")
"""Keys of a record that list its tools, and of a turn that hold its calls."""

_OF_CALL = frozenset({"id", "type", "index"})
"""What may stand beside a call's name and arguments; `index` counts the calls of a stream."""


def tools_of(row: dict[str, Any]) -> str:
    """The tools of a record as a JSON list, each `{"type": "function", "function": {...}}`.

    Returns:
        An empty text where it has none.

    Raises:
        Unfit: there is something else under their key.
    """
    found = _held(row, TOOL_KEYS)
    if found is None:
        return ""
    key, value = found
    wrong = Unfit(f"{key!r} that is no list of functions with names")
    listed = _opened(value, wrong)
    tools = []
    for each in listed if isinstance(listed, list) else [listed]:
        if is_blank_value(each):
            continue
        tool = _opened(each, wrong)
        if not isinstance(tool, dict):
            raise wrong
        if not isinstance(tool.get("function"), dict):
            tool = {"type": "function", "function": tool}
        name = tool["function"].get("name")
        if not isinstance(name, str) or not name:
            raise wrong
        tools.append(tool)
    return _written(tools, wrong)


def calls_of(turn: dict[str, Any]) -> str:
    """The calls of a turn as a JSON list, in the order in which they stand there.

    Each is `{"type": "function", "function": {"name": ..., "arguments": {...}}}`, with its `id`
    where it has one.

    Returns:
        An empty text where it has none.

    Raises:
        Unfit: there is something else under their key.
    """
    found = _held(turn, CALL_KEYS)
    return "" if found is None else _calls(found[1], repr(found[0]))


def calls_in(text: str) -> str:
    """The calls that the text of a turn of the role `function_call` holds, as `calls_of`.

    Raises:
        Unfit: it is no JSON of a call, or of a list of calls.
    """
    return _calls(text, f"a turn of the role {CALL_ROLE!r}")


def _held(holder: dict[str, Any], names: tuple[str, ...]) -> tuple[str, Any] | None:
    """The one key of these names that says something, and its value."""
    found = [
        (key, value)
        for key, value in holder.items()
        if spelled(key) in names and not is_blank_value(value)
    ]
    if len(found) > 1:
        raise Unfit(f"both {found[0][0]!r} and {found[1][0]!r}")
    return found[0] if found else None


def _calls(value: Any, where: str) -> str:
    wrong = Unfit(f"{where} that is no call with a name and an object of arguments")
    listed = _opened(value, wrong)
    calls = [
        _call(_opened(each, wrong), wrong)
        for each in (listed if isinstance(listed, list) else [listed])
        if not is_blank_value(each)
    ]
    if not calls:
        raise wrong
    return _written(calls, wrong)


def _call(entry: Any, wrong: Unfit) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise wrong
    is_wrapped = isinstance(entry.get("function"), dict)
    function = entry["function"] if is_wrapped else entry
    beside = [key for key in entry if key not in _OF_CALL and not is_blank_value(entry[key])]
    inside = [key for key in function if key not in _OF_CALL and not is_blank_value(function[key])]
    known = {"name", "arguments"}
    if set(beside) - ({"function"} if is_wrapped else known) or set(inside) - known:
        raise wrong  # what else it says would be lost
    name, arguments = function.get("name"), function.get("arguments")
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        arguments = {}
    arguments = _opened(arguments, wrong)
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        raise wrong
    if entry.get("type") not in (None, "", "function"):
        raise wrong
    call: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    if isinstance(entry.get("id"), str) and entry["id"]:
        call["id"] = entry["id"]
    return call


def _opened(value: Any, wrong: Unfit) -> Any:
    """What a JSON text holds; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise wrong from None


def _written(value: Any, wrong: Unfit) -> str:
    """As JSON, which has no NaN, in the order of the file, in which a template writes it too."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise wrong from None
