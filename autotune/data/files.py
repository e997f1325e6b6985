"""Reads records (objects by key) from a file: JSON, JSON Lines, CSV, Parquet or Arrow, also packed.

What kind a file is, its first bytes say and not its name; a kind that is not read is named. Only
data is ever read: no pickle, no cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotune.data import kinds
from autotune.data.jsontext import Parsed, json_values, no_conversations, shape
from autotune.data.tables import table_rows
from autotune.data.textlines import TextLines
from autotune.data.unpacked import Unpacked, unpacked
from autotune.errors import BadInput

WANTED = "a JSON or JSON-lines file"


@dataclass(frozen=True, slots=True)
class Records:
    """The objects of a file in order, and the number of each.

    A number counts records from 1, or is the line's in JSON Lines, blank lines counted. `faulty`
    are the numbers of the faulty records that were tolerated. `remark` says in which way the file
    was read where that is worth a word, `misnamed` that its name has another kind's ending.
    """

    path: Path
    rows: tuple[dict[str, Any], ...]
    numbers: tuple[int, ...]
    faulty: tuple[int, ...] = ()
    remark: str = ""
    misnamed: str = ""

    @property
    def skipped(self) -> int:
        """How many faulty records were tolerated."""
        return len(self.faulty)


class RecordStream:
    """The records of a file one after the other, each with its number.

    `faulty`, `remark` and `misnamed` (as of `Records`) are known once all have been read.
    """

    def __init__(self, path: Path, skip_bad: int = 0) -> None:
        self.path = path
        self.skip_bad = skip_bad
        self.faulty: list[int] = []
        self.remark = self.misnamed = ""

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read the file from its beginning.

        Raises:
            BadInput: no such file, a kind that is not read, a damaged file, not UTF-8, not JSON, a
                faulty record beyond `skip_bad`, or no records.
            EnvironmentFault: the file is there but cannot be read.
        """
        self.faulty, kept = [], False
        with unpacked(self.path, WANTED) as opened:
            self.remark, self.misnamed = opened.remark, opened.misnamed
            for parsed in _values(opened):
                fault = parsed.fault
                if fault is None and not isinstance(parsed.value, dict):
                    fault = f"not a record but {shape(parsed.value)}"
                if fault is None:
                    kept = True
                    yield parsed.number, parsed.value
                    continue
                self.faulty.append(parsed.number)
                if len(self.faulty) > self.skip_bad:
                    allowed = f"--skip-bad {self.skip_bad} is used up; " if self.skip_bad else ""
                    raise BadInput(
                        f"{parsed.place}: {fault}; {allowed}correct it, or pass over faulty"
                        " records with --skip-bad N"
                    )
        if not kept:
            found = f"all {len(self.faulty)} records are faulty" if self.faulty else "no rows"
            raise no_conversations(self.path, found)


def read_records(path: Path, skip_bad: int = 0) -> Records:
    """The records of a JSON array, JSON Lines, one record, `{"data": [...]}`, or a table.

    A wrapper object is opened only if exactly one of its keys holds a list of objects. Up to
    `skip_bad` faulty lines, array elements or rows are passed over and counted.

    Raises:
        BadInput, EnvironmentFault: as `RecordStream`.
    """
    stream = RecordStream(path, skip_bad)
    found = tuple(stream)
    return Records(
        path,
        tuple(row for _, row in found),
        tuple(number for number, _ in found),
        tuple(stream.faulty),
        stream.remark,
        stream.misnamed,
    )


def _values(opened: Unpacked) -> Iterator[Parsed]:
    path = opened.path
    if opened.kind is kinds.TEXT:
        yield from json_values(path, TextLines(path, opened.stream))
        return
    for row in table_rows(opened):
        yield Parsed(row.number, f"{path}: row {row.number}", row.value, row.fault)
