"""Values of JSON text: lists, one value a line, one record or a wrapper of them, strictly.

A key that stands twice, NaN, Infinity and numbers beyond a float are faults of a record; text is
UTF-8 with or without a byte order mark.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput
from autotune.data.text_lines import TextLines

_TURN_LISTS = ("messages", "conversations", "prompt")

_ROLE_KEYS = ("role", "from")
_ASKS = ("instruction", "prompt")
_SPACE = " \t\r\n"

_PLACE_FOLLOWS = re.compile(r"( starting)? at$")
"""How some of the decoder's messages end, as `Unterminated string starting at`."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """One value of the file: its number, where it stands, the value, its fault if it has one."""

    number: int
    place: str
    value: Any
    fault: str | None


class _Reader:
    """A JSON decoder that continues after a fault and remembers the first of each value."""

    def __init__(self) -> None:
        self._fault: str | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=self._constant,
            parse_float=self._float,
        )

    def read(self, text: str, start: int) -> tuple[Any, int, str | None]:
        """Value at `start`, the index after it, its fault; raises ValueError where not JSON."""
        self._fault = None
        try:
            value, end = self._decoder.raw_decode(text, start)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return value, end, self._fault

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            self._fault = self._fault or f"key {_short(twice)} stands twice in one object"
        return found

    def _constant(self, name: str) -> None:
        self._fault = self._fault or f"{name} is not JSON"

    def _float(self, digits: str) -> float:
        number = float(digits)
        if number in (float("inf"), float("-inf")):
            self._fault = self._fault or f"number {digits[:20]} is out of range"
        return number


def json_values(path: Path, source: TextLines) -> Iterator[Parsed]:
    """The values of a text in order.

    Where the first line is a whole object and more follows, the text is JSON Lines and is read a
    line at a time; anything else is looked at whole.

    Raises:
        BadInput: not UTF-8, not JSON, or nothing in it.
    """
    reader = _Reader()
    begun = _until_text(source)
    if not begun:
        raise no_conversations(path, "an empty file")
    if _is_object(reader, begun[-1]):
        more = _until_text(source)
        if more:
            lines = ((at, line) for at, line in enumerate(chain(begun, more, source), 1))
            yield from _lines(path, lines, reader)
            return
    yield from _whole(path, "".join(begun) + source.rest(), reader)


def _until_text(source: TextLines) -> list[str]:
    """The next lines up to the first that is not blank; none where all are blank."""
    found = []
    for line in source:
        found.append(line)
        if line.strip(_SPACE):
            return found
    return []


def _is_object(reader: _Reader, line: str) -> bool:
    start = _skip_space(line, 0)
    if line[start] != "{":
        return False
    try:
        end = reader.read(line, start)[1]
    except ValueError:
        return False
    return _skip_space(line, end) == len(line)


def _whole(path: Path, text: str, reader: _Reader) -> Iterator[Parsed]:
    start = _skip_space(text, 0)
    if text[start] == "[":
        yield from _array(path, text, start, reader)
        return
    try:
        value, end, fault = reader.read(text, start)
        if _skip_space(text, end) < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except ValueError as error:
        if not _is_lines(path, text):
            raise _not_json(path, error, 1) from None
        yield from _lines(path, enumerate(text.split("\n"), 1), reader)
        return
    if fault is not None:
        yield Parsed(1, f"{path}:1", value, fault)
        return
    yield from (Parsed(n, f"{path}: record {n}", v, None) for n, v in _unwrap(path, value))


def _array(path: Path, text: str, start: int, reader: _Reader) -> Iterator[Parsed]:
    """The elements of one JSON array, each with the line it begins on."""
    at = _skip_space(text, start + 1)
    if text[at : at + 1] == "]":
        raise no_conversations(path, "an empty list")
    line, counted = 1, 0
    for number in count(1):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end, fault = reader.read(text, at)
            at = _skip_space(text, end)
            mark = text[at : at + 1]
            if mark not in (",", "]") or not mark:
                raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
            after = _skip_space(text, at + 1)
            if mark == "]" and after < len(text):
                raise json.JSONDecodeError("Extra data after the list", text, after)
        except ValueError as error:
            raise _not_json(path, error, line) from None
        yield Parsed(number, f"{path}:{line}", value, fault)
        if mark == "]":
            return
        at = after


def _lines(path: Path, lines: Iterator[tuple[int, str]], reader: _Reader) -> Iterator[Parsed]:
    # Only "\n" ends a line: str.splitlines would also cut at U+2028 inside a text.
    for number, line in lines:
        line = line.rstrip(_SPACE)  # the decoder takes a line end for a part of an open string
        if not line:
            continue
        place = f"{path}:{number}"
        try:
            value, end, fault = reader.read(line, _skip_space(line, 0))
            if _skip_space(line, end) < len(line):
                raise json.JSONDecodeError("Extra data", line, end)
        except ValueError as error:
            yield Parsed(number, place, None, _why(error))
        else:
            yield Parsed(number, place, value, fault)


def _is_lines(path: Path, text: str) -> bool:
    """Whether a file that is not one JSON value is meant as one value a line."""
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return True
    for line in text.split("\n"):
        if line.startswith("{") and line.rstrip(_SPACE).endswith("}"):
            try:
                json.loads(line)
            except (ValueError, RecursionError):
                continue
            return True
    return False


def _unwrap(path: Path, value: Any) -> Iterator[tuple[int, Any]]:
    """The records of a value that is the whole file: itself, or the one list in it."""
    if not isinstance(value, dict) or not value:
        raise no_conversations(path, shape(value))
    is_record = any(_is_turns(value.get(key)) for key in _TURN_LISTS) or any(
        isinstance(value.get(key), str) for key in _ASKS
    )
    if is_record:
        return iter([(1, value)])
    lists = {key: found for key, found in value.items() if isinstance(found, list)}
    wrappers = [key for key, found in lists.items() if found and isinstance(found[0], dict)]
    if len(wrappers) == 1:
        return iter(enumerate(value[wrappers[0]], 1))
    if len(wrappers) > 1:
        names = ", ".join(_short(key) for key in wrappers)
        raise BadInput(
            f"{path}: an object with several lists of records ({names}): which one is meant is"
            " not clear; put one of them into a file of its own"
        )
    if len(lists) == len(value):
        raise no_conversations(path, "an object of lists (columns, not records)")
    return iter([(1, value)])


def _is_turns(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and any(key in value[0] for key in _ROLE_KEYS)
    )


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def json_fault(error: ValueError) -> str:
    """Why a text is not JSON, the line left to who names it: `Unterminated string at column 32`."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    what = _PLACE_FOLLOWS.sub("", error.msg)
    return f"{what} at column {error.colno}"


def _why(error: ValueError) -> str:
    return f"not JSON ({json_fault(error)})"


def _not_json(path: Path, error: ValueError, line: int) -> BadInput:
    """The whole file is lost; the line is the decoder's where it tells one."""
    line = error.lineno if isinstance(error, json.JSONDecodeError) else line
    return BadInput(f"{path}:{line}: {_why(error)}; correct the file")


def shape(value: Any) -> str:
    """A JSON value's kind in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    return "an object" if value else "an empty object"


def _short(key: str) -> str:
    return repr(key if len(key) <= 40 else key[:37] + "...")


RECORDS = "a JSON list of records or one record a line"
"""What a text that holds conversations is."""


def no_conversations(path: Path, seen: str, expected: str = RECORDS) -> BadInput:
    """The refusal of a file without records, where `seen` was found in the place of `expected`."""
    return BadInput(f"{path}: no conversations: found {seen}; expected {expected}")
