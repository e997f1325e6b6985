"""One turn of a record: who speaks, the text, and keys that a chat template has no place for."""

from dataclasses import replace
from typing import Any

from autotune.data.conversation import Message, Role, Unfit
from autotune.data.supervised import DETAILS, TURN_KEYS, by_part, with_supervision
from autotune.data.tool_turns import CALL_KEYS, CALL_ROLE, RESULT_ROLES, calls_in, calls_of
from autotune.data.values import Remarks, is_blank_value, spelled

ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    # What a tool gave back is input to the model, so it stands on the user's side.
    "observation": "user",
    "tool": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bing": "assistant",
    "chatgpt": "assistant",
    "function_call": "assistant",
}
"""Role names in use and the side they speak for; any other name is counted, not guessed."""

FOLDED = frozenset({"observation", "tool", "function_call"})
"""Roles that are neither side's: to read them as one is our doing, and is said."""

ROLES_WITH_TOOLS: dict[str, Role] = ROLES | RESULT_ROLES
"""The same where the chat template takes tools: then a result is the tool's."""

CANNOT = "which the chat template that is trained cannot render"
"""Why a record with something else than roles and texts is dropped."""

ROLE_KEYS, TEXT_KEYS = ("role", "from"), ("content", "value")

OF_TOOLS = (
    "tool_calls",
    "tool_call",
    "tool_use",
    "tool_uses",
    "tool_invocations",
    "tool_results",
    "tool_result",
    "function_call",
    "function_calls",
    "functions",
    "tools",
)
"""Keys of a record or a turn that speak of tools."""

NEEDED = (
    *OF_TOOLS,
    "image",
    "images",
    "image_url",
    "image_urls",
    "audio",
    "audios",
    "input_audio",
    "video",
    "videos",
)
"""Keys of a record or a turn without which its turns make no sense: a call whose result follows, a
picture that is asked about. ChatML writes roles and texts only. Each stands for its other
spellings, such as `toolCalls`."""

REASONING = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking",
    "thinking_blocks",
    "thought",
    "thoughts",
    "think",
    "cot",
    "chain_of_thought",
)
"""Keys of what was thought before an answer. The answer holds without it, so it is left out."""

_NEEDED, _REASONING = frozenset(NEEDED), frozenset(REASONING)
_TURN = frozenset({*ROLE_KEYS, *TEXT_KEYS})
_READ = _NEEDED | _REASONING | TURN_KEYS
_OF_PARTS = TURN_KEYS - {*DETAILS}
_OF_RESULT = frozenset({"name", "tool_call_id"})
_CHAT = frozenset({"role", "content"})
_PLAIN = _CHAT, frozenset({"from", "value"})


def read_turn(turn: Any, remarks: Remarks, no_tools: str | None = CANNOT) -> Message:
    """A turn as a message. `no_tools` says why no template writes tools, None where one does.

    Raises:
        Unfit: it is not an object, has no known role or no text, or cannot be rendered whole.
    """
    if not isinstance(turn, dict):
        raise Unfit("a turn that is not an object")
    plain = turn.keys() == _CHAT  # most turns, and the cheapest to tell
    if not plain:
        refuse_needed(turn, no_tools, CALL_KEYS)
    calls = "" if plain or no_tools is not None else calls_of(turn)
    role_key = "role" if plain else _filled(turn, ROLE_KEYS)
    text_key = "content" if plain else _filled(turn, TEXT_KEYS)
    if role_key is None or (text_key is None and not calls):
        raise Unfit("a turn without role and content")
    name = turn[role_key]
    roles = ROLES if no_tools is not None else ROLES_WITH_TOOLS
    role = roles.get(name) if isinstance(name, str) else None
    if role is None:
        raise Unfit(f"unknown role {str(name)[:30]!r}")
    content = turn[text_key] if text_key is not None else None
    message = Message(role, "" if content is None and calls else text_of(content))
    if no_tools is None:
        message = _with_tools(message, turn, name, calls)
    elif name in FOLDED:
        remarks.say(f"turns of the role {name!r} are read as the {role}'s")
    parts = [(p, len(_part(p))) for p in content] if isinstance(content, list) else []
    if turn.keys() in _PLAIN:
        return by_part(message, parts, remarks) if parts else message
    for key in turn:
        if spelled(key) in _REASONING and not is_blank_value(turn[key]):
            remarks.say(f"{key!r} of a turn is left out: the chat template has no place for it")
    return by_part(with_supervision(message, turn, remarks), parts, remarks)


def _with_tools(message: Message, turn: dict[str, Any], role: str, calls: str) -> Message:
    """The message with its calls, or whose result it is."""
    if role == CALL_ROLE and not calls:
        if isinstance(turn.get("content"), list) or isinstance(turn.get("value"), list):
            raise Unfit(f"a turn of the role {CALL_ROLE!r} in parts")
        return replace(message, content="", calls=calls_in(message.content))
    if calls and message.role != "assistant":
        raise Unfit("a tool call that is not the assistant's")
    if message.role != "tool":
        return replace(message, calls=calls) if calls else message
    name, call_id = turn.get("name"), turn.get("tool_call_id")
    return replace(
        message,
        name=name if isinstance(name, str) else "",
        call_id=call_id if isinstance(call_id, str) else "",
    )


def without_padding(turns: list[Any]) -> list[Any]:
    """The turns up to the last that says something: lists of one length are filled with null."""
    end = len(turns)
    while end and _is_padding(turns[end - 1]):
        end -= 1
    return turns if end == len(turns) else turns[:end]


def _is_padding(turn: Any) -> bool:
    return turn is None or (isinstance(turn, dict) and not _says_any(turn))


def _says_any(turn: dict[str, Any]) -> bool:
    return list(turn.values()).count(None) < len(turn)


def refuse_needed(
    holder: dict[str, Any], no_tools: str | None = CANNOT, taken: tuple[str, ...] = ()
) -> None:
    """Refuse a record or turn that the chat template cannot render.

    Keys that are `taken` are read where a template takes tools (`no_tools` is None).

    Raises:
        Unfit: it holds a tool, a call, a picture, sound or film.
    """
    for key in holder:
        name = spelled(key)
        if name not in _NEEDED or is_blank_value(holder[key]):
            continue
        if no_tools is None and name in taken:
            continue
        raise Unfit(f"{key!r}, {no_tools if no_tools and name in OF_TOOLS else CANNOT}")


def role_of(turn: dict[str, Any]) -> str:
    """The role as the file gives it, of a turn that has been read without a fault."""
    if turn.keys() == _CHAT:
        return str(turn["role"])
    return str(turn[_filled(turn, ROLE_KEYS) or ROLE_KEYS[0]])


def text_of(content: Any) -> str:
    """A text, or text parts put together.

    Raises:
        Unfit: it is something else.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(map(_part, content))
    raise Unfit("content that is not text")


def unused_of_turn(turn: Any, takes_tools: bool = False) -> list[str]:
    """Names of the keys of a turn that say something and are not read."""
    if not isinstance(turn, dict):
        return []
    if turn.keys() == _CHAT and isinstance(turn["content"], str) and isinstance(turn["role"], str):
        return []  # most turns
    if turn.keys() in _PLAIN and not any(isinstance(value, list) for value in turn.values()):
        return []
    taken = {_filled(turn, ROLE_KEYS), _filled(turn, TEXT_KEYS)}
    is_result = takes_tools and any(turn.get(key) in RESULT_ROLES for key in ROLE_KEYS)
    found = [
        key
        for key, value in turn.items()
        if key not in taken
        and not (is_result and key in _OF_RESULT)
        and (key in _TURN or spelled(key) not in _READ)
        and not is_blank_value(value)
    ]
    for key in taken - {None}:
        parts = turn[str(key)]
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and part.get("type") == "text":
                rest = {"type", "text" if "text" in part else "value", *_OF_PARTS}
                found += [
                    f"{key}[].{k}" for k, v in part.items() if k not in rest and v is not None
                ]
    return found


def _filled(turn: dict[str, Any], keys: tuple[str, str]) -> str | None:
    """The first of two keys that is neither null nor empty, else the first that is not null.

    Where both are null it is the first that is there at all.
    """
    there = [key for key in keys if key in turn]
    said = [key for key in there if turn[key] is not None]
    return next((key for key in said if turn[key] != ""), next(iter([*said, *there]), None))


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") == "text":
        text = part["text"] if part.get("text") is not None else part.get("value")
        if isinstance(text, str):
            return text
    raise Unfit("content part that is not text")
