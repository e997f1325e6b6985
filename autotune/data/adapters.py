"""Turns the records of each known chat format into conversations, counting what does not fit.

`messages`: turns under `messages`. `conversations`: turns under `conversations`. A turn is
role/content or from/value; its text is a string or a list of text parts. `alpaca`: instruction,
input, output, with optional system and history. `prompt_completion`: prompt and completion.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotune.data.conversation import (
    Conversation,
    Message,
    Role,
    Unfit,
    conversation_of,
)
from autotune.datanotes import DataNote, NoteBook
from autotune.errors import BadInput

Row = dict[str, Any]

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

BY_NAME = "named by --format"
"""The reason given where a format was not detected but chosen."""

TRIMMED = "the last question has no answer and is cut off"
"""The note on rows that end in a question."""

AUTO = "auto"
"""The format name that asks for detection."""


@dataclass(frozen=True, slots=True)
class Detected:
    """The format that most records have, and why, in words for the screen."""

    format: str
    reason: str


@dataclass(frozen=True, slots=True)
class Adapted:
    """Conversations in file order and, per reason, how many records gave none.

    `trimmed` counts kept conversations whose last question had no answer and was cut off,
    `left_out` those beyond a limit on their number. `source_roles` counts the turns of all of them
    by the role that the file gives; formats with columns instead of turns give none. `rows` are
    the row numbers of the conversations, `notes` what was found, the reasons of `dropped` among it.
    """

    conversations: tuple[Conversation, ...]
    dropped: dict[str, int]
    format: str
    reason: str = ""
    trimmed: int = 0
    left_out: int = 0
    source_roles: dict[str, int] = field(default_factory=dict)
    notes: tuple[DataNote, ...] = ()
    rows: tuple[int, ...] = ()


def detect_format(records: Sequence[Row]) -> Detected:
    """The format of most records; a tie goes to the one that stands first in `FORMATS`.

    Raises:
        BadInput: no record has the keys of any format.
    """
    counts = Counter(name for row in records if (name := _format_of(row)) is not None)
    if not counts:
        keys = ", ".join(sorted(records[0])[:8]) if records else ""
        raise BadInput(
            f"no conversations: no record has the keys of a known format ({_known()}); the first"
            f" has: {keys}; rename its keys or choose with --format"
        )
    name = max(FORMATS, key=lambda known: counts[known])
    first = next(row for row in records if _format_of(row) == name)
    unused = sorted(set(first) - FORMATS[name].used)
    reason = f"{counts[name]} of {len(records)} records have {FORMATS[name].sign}"
    if unused:
        reason += f"; not used: {', '.join(unused[:8])}"
    return Detected(name, reason)


def adapt(records: Sequence[Row], format: str, numbers: Sequence[int] | None = None) -> Adapted:
    """Every record read in one named format; `numbers` are theirs, 1 to n where not given.

    Raises:
        BadInput: the name is not a known format.
    """
    if format not in FORMATS:
        raise BadInput(f"format {format!r}: must be one of {AUTO}, {_known()}")
    turns_of = FORMATS[format].turns
    conversations: list[Conversation] = []
    kept: list[int] = []
    book = NoteBook()
    dropped: Counter[str] = Counter()
    roles: Counter[str] = Counter()
    trimmed = 0
    for number, row in zip(numbers or range(1, len(records) + 1), records, strict=True):
        try:
            conversation, was_trimmed = conversation_of(turns_of(row))
        except Unfit as unfit:
            dropped[str(unfit)] += 1
            book.add(str(unfit), number, dropped=True)
            continue
        conversations.append(conversation)
        kept.append(number)
        if was_trimmed:
            book.add(TRIMMED, number)
        roles.update(_source_roles(row, format))
        trimmed += was_trimmed
    return Adapted(
        tuple(conversations),
        dict(dropped),
        format,
        BY_NAME,
        trimmed,
        source_roles=dict(roles),
        notes=book.notes,
        rows=tuple(kept),
    )


def _source_roles(row: Row, format: str) -> Iterator[str]:
    """The role of each turn of a record that has been read without a fault."""
    for key in sorted(FORMATS[format].used):
        turns = row.get(key)
        for turn in turns if isinstance(turns, list) else ():
            if isinstance(turn, dict) and ("role" in turn or "from" in turn):
                yield str(turn["role"] if "role" in turn and "content" in turn else turn["from"])


def _format_of(row: Row) -> str | None:
    return next((name for name, known in FORMATS.items() if known.matches(row)), None)


def _known() -> str:
    return ", ".join(FORMATS)


def _listed_turns(row: Row, key: str) -> Iterator[Message]:
    turns = row.get(key)
    if not isinstance(turns, list):
        raise Unfit(f"no list under '{key}'")
    yield from _system_column(row)
    for turn in turns:
        yield _turn(turn)


def _messages(row: Row) -> Iterator[Message]:
    return _listed_turns(row, "messages")


def _conversations(row: Row) -> Iterator[Message]:
    return _listed_turns(row, "conversations")


def _alpaca(row: Row) -> Iterator[Message]:
    if "instruction" not in row or "output" not in row:
        raise Unfit("no 'instruction' and 'output'")
    yield from _system_column(row)
    history = row.get("history") or []
    if not isinstance(history, list):
        raise Unfit("history is not a list of pairs")
    for pair in history:
        if not isinstance(pair, list) or len(pair) != 2:
            raise Unfit("history is not a list of pairs")
        yield Message("user", _text(pair[0]))
        yield Message("assistant", _text(pair[1]))
    question = _text(row["instruction"])
    extra = _text(row.get("input") or "")
    yield Message("user", f"{question}\n{extra}" if extra.strip() else question)
    yield Message("assistant", _text(row["output"]))


def _prompt_completion(row: Row) -> Iterator[Message]:
    if "prompt" not in row or "completion" not in row:
        raise Unfit("no 'prompt' and 'completion'")
    yield from _system_column(row)
    for key, role in (("prompt", "user"), ("completion", "assistant")):
        value = row[key]
        if isinstance(value, list) and all(isinstance(v, dict) and "role" in v for v in value):
            yield from map(_turn, value)
        else:
            yield Message(ROLES[role], _text(value))


def _system_column(row: Row) -> Iterator[Message]:
    system = row.get("system")
    if system:
        yield Message("system", _text(system))


def _turn(turn: Any) -> Message:
    if not isinstance(turn, dict):
        raise Unfit("a turn that is not an object")
    for role_key, text_key in (("role", "content"), ("from", "value")):
        if role_key in turn and text_key in turn:
            name = turn[role_key]
            role = ROLES.get(name) if isinstance(name, str) else None
            if role is None:
                raise Unfit(f"unknown role {str(name)[:30]!r}")
            return Message(role, _text(turn[text_key]))
    raise Unfit("a turn without role and content")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(map(_part, content))
    raise Unfit("content that is not text")


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") == "text":
        text = part["text"] if "text" in part else part.get("value")
        if isinstance(text, str):
            return text
    raise Unfit("content part that is not text")


@dataclass(frozen=True, slots=True)
class _Format:
    """How a format is recognised, described and read."""

    sign: str
    used: frozenset[str]
    matches: Callable[[Row], bool]
    turns: Callable[[Row], Iterator[Message]]


FORMATS: dict[str, _Format] = {
    "messages": _Format(
        "a list under 'messages'",
        frozenset({"messages", "system"}),
        lambda row: isinstance(row.get("messages"), list),
        _messages,
    ),
    "conversations": _Format(
        "a list under 'conversations'",
        frozenset({"conversations", "system"}),
        lambda row: isinstance(row.get("conversations"), list),
        _conversations,
    ),
    "alpaca": _Format(
        "'instruction' and 'output'",
        frozenset({"instruction", "input", "output", "system", "history"}),
        lambda row: "instruction" in row and "output" in row,
        _alpaca,
    ),
    "prompt_completion": _Format(
        "'prompt' and 'completion'",
        frozenset({"prompt", "completion", "system"}),
        lambda row: "prompt" in row and "completion" in row,
        _prompt_completion,
    ),
}
"""Known formats by name, in the order in which a record is matched against them."""
