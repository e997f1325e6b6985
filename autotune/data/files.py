"""Reads records (objects by key) from a file: JSON, JSON Lines, CSV, Parquet or Arrow, also packed.

What kind a file is, its first bytes say and not its name; a kind that is not read is named. Only
data is ever read: no pickle, no cache.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.data import file_kinds
from autotune.data.json_text import Parsed, json_values, no_conversations, shape
from autotune.data.tables import table_rows
from autotune.data.text_lines import TextLines
from autotune.data.unpack import Unpacked, unpacked

WANTED = "a JSON or JSON-lines file"


class RecordStream:
    """The records of a file one after the other, each with its number.

    A wrapper object is opened only if exactly one of its keys holds a list of objects.
    A number counts records from 1, or is the line's in JSON Lines, blank lines counted. Once all
    have been read, `faulty` has the numbers of the faulty records that were tolerated, `remark`
    says in which way the file was read where that is worth a word, and `misnamed` that its name has
    another kind's ending.
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
            if self.faulty:
                raise no_conversations(self.path, f"{counted(len(self.faulty), 'faulty record')}")
            raise no_conversations(self.path, "a table without rows", "a row a conversation")


def _values(opened: Unpacked) -> Iterator[Parsed]:
    path = opened.path
    if opened.kind is file_kinds.TEXT:
        yield from json_values(path, TextLines(path, opened.stream))
        return
    for row in table_rows(opened):
        yield Parsed(row.number, f"{path}: row {row.number}", row.value, row.fault)
