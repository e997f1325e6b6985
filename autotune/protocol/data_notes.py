"""What was found in the data, as values that travel to every screen, and as the one sentence there.

A row's number counts the records of the file from 1; in JSON Lines it is the number of the line,
blank lines counted, as an editor shows it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from autotune.base.format import counted
from autotune.base.model import Boundary

SHOWN_NOTES = 12
"""Notes that a screen shows: half of one of 24 lines, warnings first."""

NAMED_ROWS = 5
"""Row numbers that a note carries: enough to look a kind up, and one short line on a screen."""


MAX_KINDS = 100
"""Kinds that are told apart: where names or numbers of the data stand in their words (a role for
each speaker), every row may be one of its own, and no report is that long."""

OTHERS = f"something else, beyond the first {MAX_KINDS} kinds"


class DataNote(Boundary):
    """One kind of finding: `what` in words, in how many rows, and the numbers of the first few.

    `dropped` says that these rows are not used; the others are. `warning` marks what may
    make a result worthless, for a louder colour. A note on the data as a whole has `count` 0, and
    its words are a sentence of their own. `data` names the data, where it is not the run's own.
    """

    what: str
    count: Annotated[int, Field(ge=0)]
    rows: tuple[int, ...] = ()
    dropped: bool = False
    warning: bool = False
    data: str = ""


class NoteCollector:
    """Gathers findings row by row; notes come in the order in which their kind was first seen."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, bool, bool], tuple[int, list[int]]] = {}

    def add(self, what: str, row: int, *, dropped: bool = False, warning: bool = False) -> str:
        """One more row of a kind; a row that has it twice is added once by the caller.

        Returns:
            The words under which it was counted: `OTHERS` where there are too many kinds.
        """
        if (what, dropped, warning) not in self._rows and len(self._rows) >= MAX_KINDS:
            what = OTHERS
        key = what, dropped, warning
        count, rows = self._rows.get(key, (0, []))
        if count < NAMED_ROWS:
            rows.append(row)
        self._rows[key] = count + 1, rows
        return what

    @property
    def notes(self) -> tuple[DataNote, ...]:
        """What has been gathered so far."""
        return tuple(
            DataNote(what=what, count=count, rows=tuple(rows), dropped=dropped, warning=warning)
            for (what, dropped, warning), (count, rows) in self._rows.items()
        )


def note_sentence(note: DataNote) -> str:
    """`3 rows dropped: empty answer (rows 2, 5, 9)`, the same wherever a note is shown."""
    of = f"{note.data}: " if note.data else ""
    if note.count == 0:
        return of + note.what
    head = of + counted(note.count, "row")
    rows = rows_text(note)
    return f"{head}{' dropped' * note.dropped}: {note.what}{f' ({rows})' if rows else ''}"


def shown_notes(notes: Sequence[DataNote]) -> Iterator[tuple[DataNote, str]]:
    """The notes of a screen, each with its sentence; the last one counts those left out."""
    ranked = sorted(notes, key=lambda note: not note.warning)
    few = ranked if len(ranked) <= SHOWN_NOTES else ranked[: SHOWN_NOTES - 1]
    yield from ((note, note_sentence(note)) for note in few)
    if left := len(ranked) - len(few):
        what = f"{left} more kinds of findings (all are in the report, and in inspect --json)"
        yield DataNote(what=what, count=0), what


def rows_text(note: DataNote) -> str:
    """`rows 2, 5, 9 and 4 more`; empty where no number is known."""
    if not note.rows:
        return ""
    numbers = ", ".join(map(str, note.rows))
    more = note.count - len(note.rows)
    end = f" and {more} more" if more > 0 else ""
    return f"{'row' if note.count == 1 else 'rows'} {numbers}{end}"


def with_dropped(dropped: Mapping[str, int], notes: Iterable[DataNote]) -> tuple[DataNote, ...]:
    """All notes, dropped rows first, most of them first; a reason without a note becomes one.

    Records of earlier versions count reasons and hold no notes.
    """
    found = list(notes)
    noted = {note.what for note in found if note.dropped}
    bare = [
        DataNote(what=reason, count=count, dropped=True)
        for reason, count in dropped.items()
        if count and reason not in noted
    ]
    gone = sorted((n for n in (*found, *bare) if n.dropped), key=lambda note: -note.count)
    return (*gone, *(n for n in found if not n.dropped))
