"""Keys that nothing reads, of all records: named with how many have them and which first.

Those that say where a record comes from (`formats.PROVENANCE`) are meant not to be read.
"""

import re

from autotune.data.formats import PROVENANCE, Format, Row
from autotune.data.supervised import ROW_KEYS
from autotune.data.turns import NEEDED, unused_of_turn
from autotune.data.values import is_blank_value, spelled
from autotune.protocol.data_notes import MAX_KINDS, NAMED_ROWS, DataNote

_NEEDED = frozenset(NEEDED)

_MAY_SAY = re.compile(
    r"(^|[_.\]])((un)?(train|loss|mask|supervis|label|reject|weight|skip|ignor|exclu)|learn$)",
    re.IGNORECASE,
)
"""Names that may say what is supervised, in a spelling that is not known here. Where an answer is
one to unlearn, `label` is false or it stands under `rejected`."""

_OTHER_NAMES = f"beyond the first {MAX_KINDS}"
"""Records whose keys are names or ids would have one of their own each."""

_SHOWN_NAMES = 8
_LONGEST_NAME = 40


class UnusedKeys:
    """Counts keys record by record; those that the same records have share a note."""

    def __init__(self, takes_tools: bool = False) -> None:
        self._takes_tools = takes_tools
        self._seen: dict[str, tuple[int, list[int]]] = {}

    def look(self, row: Row, number: int, known: Format) -> None:
        """Count the keys of one record of a format that say something and are not read."""
        names: dict[str, None] = {}
        if not row.keys() <= known.used:
            for key, value in row.items():
                is_read = key in known.used or key in ROW_KEYS or spelled(key) in _NEEDED
                if not is_read and key not in PROVENANCE and not is_blank_value(value):
                    names[key] = None
        for key in known.turns:
            turns = row.get(key)
            for turn in turns if isinstance(turns, list) else ():
                for name in unused_of_turn(turn, self._takes_tools):
                    names[f"{key}[].{name}"] = None
        for name in dict.fromkeys(map(self._told_apart, names)):
            count, rows = self._seen.get(name, (0, []))
            if count < NAMED_ROWS:
                rows.append(number)
            self._seen[name] = count + 1, rows

    def _told_apart(self, name: str) -> str:
        return name if name in self._seen or len(self._seen) < MAX_KINDS else _OTHER_NAMES

    @property
    def notes(self) -> tuple[DataNote, ...]:
        """A note for the keys of the same records; those that may say what is supervised apart."""
        together: dict[tuple[int, tuple[int, ...], bool], list[str]] = {}
        for name, (count, rows) in self._seen.items():
            may_say = _MAY_SAY.search(name) is not None
            together.setdefault((count, tuple(rows), may_say), []).append(name)
        return tuple(
            DataNote(what=_words(names, may_say), count=count, rows=rows, warning=may_say)
            for (count, rows, may_say), names in together.items()
        )


def _words(names: list[str], may_say: bool) -> str:
    shown = ", ".join(_short(name) for name in names[:_SHOWN_NAMES])
    more = len(names) - _SHOWN_NAMES
    listed = f"{shown} and {more} more" if more > 0 else shown
    head = f"key {listed} is not used" if len(names) == 1 else f"keys {listed} are not used"
    return f"{head}, though it may say what is supervised" if may_say else head


def _short(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "...")
