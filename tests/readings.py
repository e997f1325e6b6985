"""Which records are read in a test, once for each time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autotune.events import Record
from autotune.recordfile import RecordFile


def counted_readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Grows by the file's path whenever a record is read from its beginning."""
    read: list[Path] = []
    plain = RecordFile.__iter__

    def counting(record: RecordFile) -> Iterator[Record]:
        read.append(record.path)
        return plain(record)

    monkeypatch.setattr(RecordFile, "__iter__", counting)
    return read
