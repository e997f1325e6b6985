"""A table of the report as text, made once: both of its pages draw the same one."""

from dataclasses import dataclass

NOT_KNOWN = "n/a"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; numbers stand to the right of their column, and `whole` cells on one line."""

    title: str
    number: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A cell for each column; `best` marks the row of the best checkpoint.

    `tone` is how the last cell, a verdict, is to be seen: `good`, `bad`, or "" for neither.
    """

    cells: tuple[str, ...]
    best: bool = False
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, rows, and a sentence that explains the columns, "" where they need none."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    legend: str = ""
