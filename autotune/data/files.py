"""Reads records (JSON objects) from a JSON or JSON-lines file, strictly.

A key that stands twice, NaN, Infinity and numbers beyond a float are faults of a record; text is
UTF-8 with or without a byte order mark. Nothing but JSON is ever read: no pickle, no cache.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from autotune.errors import BadInput, EnvironmentFault

_TURN_LISTS = ("messages", "conversations", "prompt")

_ROLE_KEYS = ("role", "from")
_ASKS = ("instruction", "prompt")
_BOM = b"\xef\xbb\xbf"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Records:
    """The objects of a file in order, and the number of each.

    A number counts records from 1, or is the line's in JSON Lines, blank lines counted. `faulty`
    are the numbers of the faulty records that were tolerated.
    """

    path: Path
    rows: tuple[dict[str, Any], ...]
    numbers: tuple[int, ...]
    faulty: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One value of the file: its number, where it stands, the value, its fault if it has one."""

    number: int
    place: str
    value: Any
    fault: str | None


class _Reader:
    """A JSON decoder that goes on after a fault and remembers the first of each value."""

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


def read_records(path: Path, skip_bad: int = 0) -> Records:
    """The records of a JSON array, a JSON-lines file, one record, or `{"data": [...]}`.

    A wrapper object is opened only if exactly one of its keys holds a list of objects. Up to
    `skip_bad` faulty lines or array elements are passed over and counted.

    Raises:
        BadInput: no such file, not UTF-8, not JSON, a faulty record, or no records in it.
        EnvironmentFault: the file is there but cannot be read.
    """
    text = _read_text(path)
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    faulty: list[int] = []
    for parsed in _values(path, text):
        fault = parsed.fault
        if fault is None and not isinstance(parsed.value, dict):
            fault = f"not a record but {_shape(parsed.value)}"
        if fault is None:
            rows.append(parsed.value)
            numbers.append(parsed.number)
            continue
        faulty.append(parsed.number)
        if len(faulty) > skip_bad:
            allowed = f"--skip-bad {skip_bad} is used up; " if skip_bad else ""
            raise BadInput(
                f"{parsed.place}: {fault}; {allowed}correct it, or pass over faulty records"
                " with --skip-bad N"
            )
    if not rows:
        raise _no_conversations(path, f"all {len(faulty)} records are faulty")
    return Records(path, tuple(rows), tuple(numbers), tuple(faulty))


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; name a JSON or JSON-lines file") from None
    except OSError as error:
        if path.is_dir():
            raise BadInput(f"{path}: is a folder; name a JSON or JSON-lines file in it") from None
        raise EnvironmentFault(f"{path}: cannot be read ({error.strerror})") from None
    if raw.startswith(_LFS_POINTER):
        raise BadInput(f"{path}: is a git-lfs pointer, not the data; run `git lfs pull` first")
    offset = len(_BOM) if raw.startswith(_BOM) else 0
    try:
        text = raw[offset:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error.start + offset) from None
    # UTF-16 of plain English is valid UTF-8 full of zero bytes, which no JSON text holds.
    if "\0" in text:
        raise _not_utf8(path, raw.index(0))
    return text


def _values(path: Path, text: str) -> Iterator[_Parsed]:
    start = _skip_space(text, 0)
    if start == len(text):
        raise _no_conversations(path, "the file is empty")
    reader = _Reader()
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
        yield from _lines(path, text, reader)
        return
    if fault is not None:
        yield _Parsed(1, f"{path}:1", value, fault)
        return
    yield from (_Parsed(n, f"{path}: record {n}", v, None) for n, v in _unwrap(path, value))


def _array(path: Path, text: str, start: int, reader: _Reader) -> Iterator[_Parsed]:
    """The elements of one JSON array, each with the line it begins on."""
    at = _skip_space(text, start + 1)
    if text[at : at + 1] == "]":
        raise _no_conversations(path, "an empty list")
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
        yield _Parsed(number, f"{path}:{line}", value, fault)
        if mark == "]":
            return
        at = after


def _lines(path: Path, text: str, reader: _Reader) -> Iterator[_Parsed]:
    # Only "\n" ends a line: str.splitlines would also cut at U+2028 inside a text.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip(_SPACE):
            continue
        place = f"{path}:{number}"
        try:
            value, end, fault = reader.read(line, _skip_space(line, 0))
            if _skip_space(line, end) < len(line):
                raise json.JSONDecodeError("Extra data", line, end)
        except ValueError as error:
            yield _Parsed(number, place, None, _why(error))
        else:
            yield _Parsed(number, place, value, fault)


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
        raise _no_conversations(path, _shape(value))
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
        raise _no_conversations(path, "an object of lists (columns, not records)")
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


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg} at column {error.colno})"
    return f"not JSON ({error})"


def _not_json(path: Path, error: ValueError, line: int) -> BadInput:
    """The whole file is lost; the line is the decoder's where it tells one."""
    line = error.lineno if isinstance(error, json.JSONDecodeError) else line
    return BadInput(f"{path}:{line}: {_why(error)}; correct the file")


def _shape(value: Any) -> str:
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


def _not_utf8(path: Path, byte: int) -> BadInput:
    return BadInput(f"{path}: not UTF-8 at byte {byte}; save the file as UTF-8")


def _no_conversations(path: Path, seen: str) -> BadInput:
    return BadInput(
        f"{path}: no conversations: found {seen}; expected a JSON list of records or one record"
        " a line"
    )
