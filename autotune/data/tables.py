"""Rows of tables: CSV by the standard library, Parquet and Arrow by pyarrow where that is there."""

import csv
import importlib
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.data import file_kinds
from autotune.data.formats import FORMATS, is_turns
from autotune.data.supervised import ROW_KEYS
from autotune.data.text_lines import TextLines
from autotune.data.unpack import EXTRA, Unpacked

BATCH_ROWS = 1000
"""Rows that are made Python objects of at a time."""

DELIMITERS = {file_kinds.CSV: ",;\t", file_kinds.TSV: "\t,;"}
"""What may stand between cells, the usual one first: Excel writes semicolons in half of Europe."""


_TURNS = frozenset(key for known in FORMATS.values() for key in known.turns)
_TEXTS = frozenset({"prompt", "completion"})
"""Columns of turns that may as well be texts."""

_MAY_BE_LISTS = _TURNS | ROW_KEYS | {"history"}
"""Columns whose cells are opened where they hold a list. Any other cell is a text, be it in JSON:
an answer may well be."""

_TURNS_BY_STR = re.compile(r"\s*\[\s*\{\s*'(role|from|content|value)'")
"""Turns as Python writes them."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row, numbered from 1, by column; `fault` is what is wrong with it."""

    number: int
    value: dict[str, Any]
    fault: str | None = None


def table_rows(opened: Unpacked) -> Iterator[TableRow]:
    """The rows of a table that was opened, whatever its kind.

    Raises:
        BadInput: the table is damaged, or pyarrow would be needed and is not installed.
    """
    if opened.kind in file_kinds.TABLES:
        return arrow_rows(opened)
    return csv_rows(TextLines(opened.path, opened.stream), opened)


def csv_rows(lines: Iterable[str], opened: Unpacked) -> Iterator[TableRow]:
    """Rows of a CSV table whose first line names the columns; a list of turns in JSON is opened.

    Raises:
        BadInput: no first line, or two columns of one name.
    """
    numbered = iter(lines)
    first = next(numbered, "")
    delimiter = max(DELIMITERS[opened.kind], key=first.count)
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a chat in a cell is longer than 128 KiB
    reader = csv.reader(_with_first(first, numbered), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None or not columns:
            fault = f"column {twice!r} stands twice" if columns else "no line of column names"
            raise BadInput(f"{opened.path}: {fault}; correct the first line")
        number = 0
        for cells in reader:
            if not cells:
                continue
            number += 1
            yield _csv_row(number, columns, cells)
    except csv.Error as error:
        raise BadInput(
            f"{opened.path}:{reader.line_num}: not CSV ({error}); correct the file"
        ) from None


def _with_first(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _csv_row(number: int, columns: list[str], cells: list[str]) -> TableRow:
    if len(cells) != len(columns):
        fault = (
            f"{counted(len(cells), 'cell')}, but the first line names"
            f" {counted(len(columns), 'column')}"
        )
        return TableRow(number, {}, fault)
    return _with_lists(number, dict(zip(columns, cells, strict=True)))


def _with_lists(number: int, row: dict[str, Any]) -> TableRow:
    """A row whose JSON lists are opened, in columns of turns and of what is said of them."""
    for name, cell in row.items():
        if name not in _MAY_BE_LISTS or not isinstance(cell, str):
            continue
        if not cell.lstrip().startswith("["):
            continue
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            if name in _TURNS - _TEXTS or _TURNS_BY_STR.match(cell):
                fault = f"column {name!r} holds a list that is not JSON (as str() gives it)"
                return TableRow(number, row, fault)
            continue
        if name not in _TEXTS or (value and is_turns(value)):
            row[name] = value
    return TableRow(number, row)


def arrow_rows(opened: Unpacked) -> Iterator[TableRow]:
    """Rows of a Parquet table or an Arrow file, a batch at a time.

    Raises:
        BadInput: pyarrow is not installed, or the file is damaged.
    """
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise BadInput(
            f"{opened.path}: is {opened.kind.name}, which pyarrow reads and which is not installed:"
            f" {EXTRA}, or write its rows as JSON Lines"
        ) from None
    number = 0
    try:
        # A table's description stands at its end, so one that is packed is unpacked whole.
        packed = len(opened.layers) > 1
        source = io.BytesIO(opened.stream.read()) if packed else opened.stream
        for batch in _batches(arrow, parquet, opened.kind, source):
            for start in range(0, batch.num_rows, BATCH_ROWS):
                for row in batch.slice(start, BATCH_ROWS).to_pylist():
                    number += 1
                    yield _with_lists(number, row)
    except (ValueError, OSError, KeyError, NotImplementedError) as error:
        why = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise BadInput(
            f"{opened.path}: {opened.kind.name} that is damaged or truncated after"
            f" {counted(number, 'row')} ({why}); fetch or write the file again"
        ) from None


def _batches(arrow: Any, parquet: Any, kind: file_kinds.Kind, source: Any) -> Iterator[Any]:
    if kind is file_kinds.PARQUET:
        yield from parquet.ParquetFile(source).iter_batches(batch_size=BATCH_ROWS)
    elif kind is file_kinds.ARROW_STREAM:
        yield from arrow.ipc.open_stream(source)
    else:
        file = arrow.ipc.open_file(source)
        for at in range(file.num_record_batches):
            yield file.get_batch(at)
