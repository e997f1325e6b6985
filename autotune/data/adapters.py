"""Turns the records of each known chat format into conversations, counting what does not fit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from autotune.data.conversation import Conversation, Message, Unfit, conversation_of
from autotune.data.formats import FORMATS, Format, Row, format_of
from autotune.data.remarks import Remarks
from autotune.data.supervised import by_row
from autotune.data.turns import refuse_needed, role_of
from autotune.data.unused import UnusedKeys
from autotune.datanotes import DataNote, NoteBook
from autotune.errors import BadInput

BY_NAME = "named by --format"
"""The reason given where a format was not detected but chosen."""

TRIMMED = "the last question has no answer and is cut off"
"""The note on rows that end in a question."""

CONTEXT = "an answer, or a part of one, is context and not trained on, as the data says"
"""The note on rows of which not every answer is trained on."""

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


def detect_format(records: Sequence[Row]) -> Detected:
    """The format of most records; a tie goes to the one that stands first in `FORMATS`.

    Raises:
        BadInput: no record has the keys of any format.
    """
    counts = Counter(name for row in records if (name := format_of(row)) is not None)
    if not counts:
        keys = ", ".join(sorted(records[0])[:8]) if records else ""
        raise BadInput(
            f"no conversations: no record has the keys of a known format ({_known()}); the first"
            f" has: {keys}; rename its keys or choose with --format"
        )
    name = max(FORMATS, key=lambda known: counts[known])
    return Detected(name, f"{counts[name]} of {len(records)} records have {FORMATS[name].sign}")


def adapt(records: Sequence[Row], format: str, numbers: Sequence[int] | None = None) -> Adapted:
    """Every record read in one named format; `numbers` are theirs, 1 to n where not given.

    Raises:
        BadInput: the name is not a known format.
    """
    if format not in FORMATS:
        raise BadInput(f"format {format!r}: must be one of {AUTO}, {_known()}")
    known = FORMATS[format]
    conversations: list[Conversation] = []
    kept: list[int] = []
    book, unused = NoteBook(), UnusedKeys(known)
    dropped: Counter[str] = Counter()
    roles: Counter[str] = Counter()
    trimmed = 0
    for number, row in zip(numbers or range(1, len(records) + 1), records, strict=True):
        remarks = Remarks()
        unused.look(row, number)
        try:
            conversation, was_trimmed = conversation_of(_turns_of(row, known, remarks))
        except Unfit as unfit:
            dropped[str(unfit)] += 1
            book.add(str(unfit), number, dropped=True)
            continue
        conversations.append(conversation)
        kept.append(number)
        roles.update(_source_roles(row, known))
        if was_trimmed:
            trimmed += 1
            remarks.say(TRIMMED)
        if any(not m.trained or m.spans for m in conversation.messages if m.role == "assistant"):
            remarks.say(CONTEXT)
        for what, warning in remarks.said.items():
            book.add(what, number, warning=warning)
    return Adapted(
        tuple(conversations),
        dict(dropped),
        format,
        BY_NAME,
        trimmed,
        source_roles=dict(roles),
        notes=(*book.notes, *unused.notes),
        rows=tuple(kept),
    )


def _turns_of(row: Row, known: Format, remarks: Remarks) -> list[Message]:
    """A record's turns, each with whether it is trained on."""
    refuse_needed(row)
    return by_row(list(known.read(row, remarks)), row, remarks)


def _source_roles(row: Row, known: Format) -> Iterator[str]:
    """The role of each turn of a record that has been read without a fault."""
    for key in known.turns:
        turns = row.get(key)
        for turn in turns if isinstance(turns, list) else ():
            if isinstance(turn, dict) and ("role" in turn or "from" in turn):
                yield role_of(turn)


def _known() -> str:
    return ", ".join(FORMATS)
