"""A table of the report as text, made once: both of its pages draw the same one."""

from dataclasses import dataclass, replace

NOT_KNOWN = "–"
"""A cell with nothing to say; below its table stands why (`Table.dash`)."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; numbers stand to the right of their column, and `whole` cells on one line."""

    title: str
    number: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A cell for each column; `best` marks the row of the best checkpoint, or of the sum.

    `tone` is how the last cell, a verdict, is to be seen: `good`, `bad`, or "" for neither.
    """

    cells: tuple[str, ...]
    best: bool = False
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, rows, and a sentence that explains the columns, "" where they need none.

    `dash` says why a cell may be `NOT_KNOWN`.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    legend: str = ""
    dash: str = "not known"

    @property
    def shown(self) -> "Table":
        """As a page has it: without columns that say nothing, and with why other cells do not."""
        kept = [
            at
            for at in range(len(self.columns))
            if not self.rows or any(row.cells[at] != NOT_KNOWN for row in self.rows)
        ]
        rows = tuple(replace(row, cells=tuple(row.cells[at] for at in kept)) for row in self.rows)
        legend = self.legend
        if any(NOT_KNOWN in row.cells for row in rows):
            legend = f"{legend} A dash: {self.dash}.".strip()
        return replace(
            self, columns=tuple(self.columns[at] for at in kept), rows=rows, legend=legend
        )
