"""The known chat formats: how a record of each is recognised, and what its turns are.

`messages`: turns under `messages`. `conversations`: turns under `conversations`. A turn is
role/content or from/value; its text is a string or a list of text parts. `alpaca`: instruction,
input, output, with optional system and history. `prompt_completion`: prompt and completion, each a
text or turns; only the completion is supervised.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from autotune.data.conversation import Message, Unfit
from autotune.data.turns import read_turn, text_of, without_padding
from autotune.data.values import Remarks, is_blank_value

Row = dict[str, Any]


def _listed_turns(row: Row, key: str, remarks: Remarks, no_tools: str | None) -> Iterator[Message]:
    turns = row.get(key)
    if not isinstance(turns, list):
        raise Unfit(f"no list under '{key}'")
    yield from _system_column(row)
    for turn in without_padding(turns):
        yield read_turn(turn, remarks, no_tools)


def _messages(row: Row, remarks: Remarks, no_tools: str | None) -> Iterator[Message]:
    return _listed_turns(row, "messages", remarks, no_tools)


def _conversations(row: Row, remarks: Remarks, no_tools: str | None) -> Iterator[Message]:
    return _listed_turns(row, "conversations", remarks, no_tools)


def _alpaca(row: Row, remarks: Remarks, no_tools: str | None) -> Iterator[Message]:
    if row.get("instruction") is None or row.get("output") is None:
        raise Unfit("no 'instruction' and 'output'")
    yield from _system_column(row)
    history = row.get("history") or []
    if not isinstance(history, list):
        raise Unfit("history is not a list of pairs")
    for pair in history:
        if not isinstance(pair, list) or len(pair) != 2:
            raise Unfit("history is not a list of pairs")
        yield Message("user", text_of(pair[0]))
        yield Message("assistant", text_of(pair[1]))
    question = text_of(row["instruction"])
    extra = text_of(row.get("input") or "")
    yield Message("user", f"{question}\n{extra}" if extra.strip() else question)
    yield Message("assistant", text_of(row["output"]))


def _prompt_completion(row: Row, remarks: Remarks, no_tools: str | None) -> Iterator[Message]:
    if row.get("prompt") is None or row.get("completion") is None:
        raise Unfit("no 'prompt' and 'completion'")
    yield from _system_column(row)
    for key, role in (("prompt", "user"), ("completion", "assistant")):
        value = row[key]
        if is_turns(value):
            for turn in value:
                message = read_turn(turn, remarks, no_tools)
                yield replace(message, trained=False) if key == "prompt" else message
        else:
            yield read_turn({"role": role, "content": value}, remarks)


def is_turns(value: Any) -> bool:
    """Whether a prompt or completion is a list of turns, and not of text parts."""
    return isinstance(value, list) and all(
        isinstance(v, dict) and (v.get("role") is not None or v.get("from") is not None)
        for v in value
    )


def _system_column(row: Row) -> Iterator[Message]:
    system = row.get("system")
    if system:
        yield Message("system", text_of(system))


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is recognised, described and read.

    `turns` are the keys that hold turns, `used` those and the others that are read. A record whose
    keys are all `needed` and not null is of the format; those of `filled` hold something. `read`
    is also given why no template writes tools, as `turns.read_turn` is.
    """

    sign: str
    used: frozenset[str]
    turns: tuple[str, ...]
    needed: tuple[str, ...]
    read: Callable[[Row, Remarks, str | None], Iterator[Message]]

    def matches(self, row: Row) -> bool:
        """Whether a record has the keys, each of the right kind and not null."""
        if self.needed == self.turns and len(self.needed) == 1:
            return isinstance(row.get(self.needed[0]), list)
        return all(row.get(key) is not None for key in self.needed)

    def is_filled(self, row: Row) -> bool:
        """Whether they also hold something: a table of mixed records pads with nothing."""
        return not any(is_blank_value(row.get(key)) for key in self.needed)


PRACTICE = "practice"
"""The key of a row of practice data that says where it comes from (`autotune.synth.record`)."""

PROVENANCE = frozenset({PRACTICE})
"""Keys of a record that say where it comes from, in data that this tool makes itself: for a person
to read, and so neither trained on nor named as unused."""


def task_of(row: Row) -> str:
    """What a row of practice data was asked for, the same for all variants of one answer; or ''."""
    practice = row.get(PRACTICE)
    task = practice.get("task") if isinstance(practice, dict) else None
    return "" if task is None else f"{PRACTICE} {task}"


FORMATS: dict[str, Format] = {
    "messages": Format(
        "a list under 'messages'",
        frozenset({"messages", "system"}),
        ("messages",),
        ("messages",),
        _messages,
    ),
    "conversations": Format(
        "a list under 'conversations'",
        frozenset({"conversations", "system"}),
        ("conversations",),
        ("conversations",),
        _conversations,
    ),
    "alpaca": Format(
        "'instruction' and 'output'",
        frozenset({"instruction", "input", "output", "system", "history"}),
        (),
        ("instruction", "output"),
        _alpaca,
    ),
    "prompt_completion": Format(
        "'prompt' and 'completion'",
        frozenset({"prompt", "completion", "system"}),
        ("prompt", "completion"),
        ("prompt", "completion"),
        _prompt_completion,
    ),
}
"""Known formats by name, in the order in which a record is matched against them."""


def format_of(row: Row) -> str | None:
    """The format of a record: the first that it matches with something in it, else the first."""
    matched = [n for n, known in FORMATS.items() if known.needed[0] in row and known.matches(row)]
    if len(matched) < 2:
        return matched[0] if matched else None
    return next((name for name in matched if FORMATS[name].is_filled(row)), matched[0])
