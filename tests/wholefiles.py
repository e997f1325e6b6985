"""A whole file, or a list of records, read at once by the product's streams: what tests look at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autotune.data.files import RecordStream
from autotune.data.formats import Row
from autotune.data.reading import Adapted, Reading


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


def adapt(
    records: Sequence[Row],
    format: str,
    numbers: Sequence[int] | None = None,
    *,
    mixed: bool = False,
) -> Adapted:
    """Every record read in one named format; `numbers` are theirs, 1 to n where not given.

    Where records may be `mixed`, those of another format are read in theirs, and that is noted.

    Raises:
        BadInput: the name is not a known format.
    """
    reading = Reading(format, mixed=mixed)
    kept = [
        (number, conversation)
        for number, row in zip(numbers or range(1, len(records) + 1), records, strict=True)
        if (conversation := reading.conversation(row, number)) is not None
    ]
    return replace(
        reading.adapted(),
        conversations=tuple(conversation for _, conversation in kept),
        rows=tuple(number for number, _ in kept),
    )
