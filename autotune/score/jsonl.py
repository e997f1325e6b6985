"""JSON Lines as people really have them: each line an object, each fault with its line."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput
from autotune.data.file_kinds import TEXT
from autotune.data.json_text import json_fault
from autotune.data.tables import table_rows
from autotune.data.unpack import Unpacked, unpacked


class LineFault(Exception):
    """What is wrong with one line; the reader adds the file and the line number."""


class ObjectLines:
    """Each non-blank line's place (`file:line`) and its object, in order; one line at a time.

    A byte order mark is accepted, and so are a packed file and a table (`autotune.data.unpack`):
    there a place is `file: row n`. With `allow_truncated_end` a last line that was cut off is
    passed over: it is what a killed writer leaves. Then `truncated_end` is true once all was read.
    """

    def __init__(self, path: Path, *, allow_truncated_end: bool = False) -> None:
        self.path = path
        self.allow_truncated_end = allow_truncated_end
        self.truncated_end = False

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The lines of the file as it is now.

        Raises:
            BadInput: no such file, a kind that is not read, not UTF-8, or a line is not a JSON
                object.
            EnvironmentFault: the file is there but cannot be read.
        """
        self.truncated_end = False
        with unpacked(self.path, "a JSON Lines file") as opened:
            if opened.kind is not TEXT:
                yield from _table_objects(opened)
                return
            for number, line in enumerate(opened.stream, start=1):
                text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if text.strip() and (found := self._read(number, text)) is not None:
                    yield found

    def _read(self, number: int, line: bytes) -> tuple[str, dict[str, Any]] | None:
        place = f"{self.path}:{number}"
        try:
            return place, _object(line.rstrip(b"\r\n"))
        except LineFault as fault:
            if self.allow_truncated_end and not line.endswith(b"\n") and is_cut_off(line):
                self.truncated_end = True
                return None
            raise BadInput(f"{place}: {fault}") from None


def read_objects(
    path: Path, *, allow_truncated_end: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """`ObjectLines` of a file, for who need not know whether its end was truncated."""
    return iter(ObjectLines(path, allow_truncated_end=allow_truncated_end))


def _table_objects(opened: Unpacked) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the object of each row of a table."""
    for row in table_rows(opened):
        place = f"{opened.path}: row {row.number}"
        if row.fault is not None:
            raise BadInput(f"{place}: {row.fault}; correct it")
        yield place, row.value


_LITERALS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_HALF_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{0,4})?$")
_HALF_NUMBER = re.compile(r"[.eE][+-]?")


def is_cut_off(line: bytes) -> bool:
    """Whether more bytes could make a JSON object of the line: all of it is the beginning of one.

    A line with a fault in its middle is wrong, however it ends.
    """
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        if error.end < len(line) or "unexpected end" not in error.reason:
            return False
        text = line[: error.start].decode("utf-8").strip()
    if not text.startswith("{"):
        return False
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        if error.msg.startswith("Unterminated string"):
            return True
        if error.msg.startswith("Expecting value"):
            return any(literal.startswith(rest) for literal in _LITERALS)
        half = _HALF_NUMBER.fullmatch(rest) or _HALF_ESCAPE.search(text)
        return not rest or half is not None
    except (ValueError, RecursionError):
        return False
    return False


def _object(line: bytes) -> dict[str, Any]:
    """The JSON object on one line."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LineFault(
            f"not UTF-8 at byte {error.start} of the line; save the file as UTF-8"
        ) from None
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        raise LineFault(f"not JSON ({json_fault(error)}); write one JSON object a line") from None
    except RecursionError:
        raise LineFault("nested too deeply; write one flat JSON object a line") from None
    if not isinstance(value, dict):
        raise LineFault(f"must be a JSON object, not {shape(value)}; write one object a line")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise LineFault(f"the key {key!r} stands there twice; keep one of them")
        found[key] = value
    return found


def shape(value: object) -> str:
    """A JSON value's kind in words, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    for kind, words in ((dict, "an object"), (list, "a list"), (str, "a string")):
        if isinstance(value, kind):
            return words
    return f"the number {value!r}"


class Tail:
    """The lines of a file that another process appends to, each handed out once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0

    def lines(self) -> list[bytes]:
        """The whole lines since the last call; none where there is no file yet."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.offset)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self.offset += len(whole)
        return whole.splitlines()
