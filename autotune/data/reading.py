"""Turns the records of each known chat format into conversations, counting what does not fit."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.data.conversation import Conversation, Message, Unfit, conversation_of
from autotune.data.formats import FORMATS, Format, Row, format_of, task_of
from autotune.data.supervised import by_row
from autotune.data.tool_turns import TOOL_KEYS, tools_of
from autotune.data.turns import CANNOT, refuse_needed, role_of, without_padding
from autotune.data.unused_keys import UnusedKeys
from autotune.data.values import Remarks
from autotune.protocol.data_notes import DataNote, NoteCollector

BY_NAME = "named by --format"
"""The reason given where a format was not detected but chosen."""

TRIMMED = "the last question has no answer and is left out"
"""The note on rows that end in a question."""

CONTEXT = "an answer, or a part of one, is context and not supervised, as the data says"
"""The note on rows of which not every answer is supervised."""

AUTO = "auto"
"""The format name that asks for detection."""


@dataclass(frozen=True, slots=True)
class Detected:
    """The format that most records have, and why, in words for the screen."""

    format: str
    reason: str


@dataclass(frozen=True, slots=True)
class Adapted:
    """Conversations in file order and, per reason, how many records gave none.

    `trimmed` counts kept conversations whose last question had no answer and was cut off,
    `left_out` those beyond a limit on their number. `source_roles` counts the turns of all of them
    by the role that the file gives; formats with columns instead of turns give none. `rows` are
    the row numbers of the conversations, `notes` what was found, the reasons of `dropped` among it.
    """

    conversations: tuple[Conversation, ...]
    dropped: dict[str, int]
    format: str
    reason: str = ""
    trimmed: int = 0
    left_out: int = 0
    source_roles: dict[str, int] = field(default_factory=dict)
    notes: tuple[DataNote, ...] = ()
    rows: tuple[int, ...] = ()


def detect_format(records: Iterable[Row]) -> Detected:
    """The format of most records; a tie goes to the one that stands first in `FORMATS`.

    Raises:
        BadInput: no record has the keys of any format.
    """
    counts: Counter[str] = Counter()
    first: Row = {}
    total = 0
    for row in records:
        first = first or row
        total += 1
        if (found := format_of(row)) is not None:
            counts[found] += 1
    if not counts:
        keys = ", ".join(sorted(first)[:8])
        raise BadInput(
            f"no conversations: no record has the keys of a known format ({_known()}); the first"
            f" has: {keys}; rename its keys or choose with --format"
        )
    name = max(FORMATS, key=lambda known: counts[known])
    return Detected(
        name,
        f"{counts[name]} of {counted(total, 'record has', 'records have')} {FORMATS[name].sign}",
    )


def demand_known(format: str) -> None:
    """Refuse a name that is not a known format's.

    Raises:
        BadInput: that.
    """
    if format not in FORMATS:
        raise BadInput(f"format {format!r}: must be one of {AUTO}, {_known()}")


class Reading:
    """Records read in one named format, one after the other, with what there is to say of them."""

    def __init__(self, format: str, *, mixed: bool = False, no_tools: str | None = CANNOT) -> None:
        """Begin; where records may be `mixed`, those of another format are read in theirs.

        `no_tools` says why no template writes tools; with None records that have some are read.

        Raises:
            BadInput: the name is not a known format.
        """
        demand_known(format)
        self.format = format
        self._mixed = mixed
        self._no_tools = no_tools
        self._book, self._unused = NoteCollector(), UnusedKeys(takes_tools=no_tools is None)
        self._dropped: Counter[str] = Counter()
        self._roles: Counter[str] = Counter()
        self._trimmed = 0

    def conversation(self, row: Row, number: int) -> Conversation | None:
        """The conversation of a record; None where it gives none, which is counted."""
        remarks = Remarks()
        name = (format_of(row) if self._mixed else None) or self.format
        known = FORMATS[name]
        self._unused.look(row, number, known)
        try:
            turns = _turns_of(row, known, remarks, self._no_tools)
            tools = tools_of(row) if self._no_tools is None else ""
            conversation, was_trimmed = conversation_of(turns, tools)
        except Unfit as unfit:
            self._dropped[self._book.add(str(unfit), number, dropped=True)] += 1
            return None
        self._roles.update(_source_roles(row, known))
        if name != self.format:
            remarks.say(f"a record in the format {name}, read as such")
        if was_trimmed:
            self._trimmed += 1
            remarks.say(TRIMMED)
        if any(not m.trained or m.spans for m in conversation.messages if m.role == "assistant"):
            remarks.say(CONTEXT)
        for what, warning in remarks.sentences.items():
            self._book.add(what, number, warning=warning)
        task = task_of(row)
        return replace(conversation, task=task) if task else conversation

    def adapted(self) -> Adapted:
        """What was counted and noted so far, without the conversations themselves."""
        return Adapted(
            (),
            dict(self._dropped),
            self.format,
            BY_NAME,
            self._trimmed,
            source_roles=dict(self._roles),
            notes=(*self._book.notes, *self._unused.notes),
        )


def _turns_of(row: Row, known: Format, remarks: Remarks, no_tools: str | None) -> list[Message]:
    """A record's turns, each with whether it is supervised."""
    refuse_needed(row, no_tools, TOOL_KEYS)
    return by_row(list(known.read(row, remarks, no_tools)), row, remarks)


def _source_roles(row: Row, known: Format) -> Iterator[str]:
    """The role of each turn of a record that has been read without a fault."""
    for key in known.turns:
        turns = row.get(key)
        for turn in without_padding(turns) if isinstance(turns, list) else ():
            if isinstance(turn, dict) and ("role" in turn or "from" in turn):
                yield role_of(turn)


def _known() -> str:
    return ", ".join(FORMATS)
