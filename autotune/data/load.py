"""From a data spec to the conversations that every later step works with."""

from dataclasses import replace
from pathlib import Path

from autotune.data.adapters import AUTO, BY_NAME, Adapted, Detected, adapt, detect_format
from autotune.data.files import read_records
from autotune.datanotes import NAMED_ROWS, DataNote, rows_text
from autotune.errors import BadInput
from autotune.plan import DataSpec

FAULTY = "faulty record"
"""The reason under which records that --skip-bad tolerated are counted."""


def load_conversations(spec: DataSpec) -> Adapted:
    """The first `max_conversations` conversations of a file, the same on every call.

    `dropped` counts over the whole file, so kept, left out and dropped add up to its records.

    Raises:
        BadInput: the file cannot be read as chat data, or keeps no conversation at all.
    """
    records = read_records(Path(spec.path), spec.skip_bad)
    try:
        detected = (
            detect_format(records.rows) if spec.format == AUTO else Detected(spec.format, BY_NAME)
        )
        adapted = adapt(records.rows, detected.format, records.numbers)
    except BadInput as error:
        raise BadInput(f"{spec.path}: {error}") from None
    dropped = dict(adapted.dropped)
    notes = adapted.notes
    if records.faulty:
        dropped[FAULTY] = len(records.faulty)
        notes = (*notes, _faulty_note(records.faulty))
    if not adapted.conversations:
        reasons = "; ".join(
            f"{note.what}: {note.count}, {rows_text(note)}" for note in notes if note.dropped
        )
        raise BadInput(
            f"{spec.path}: no conversations in format {detected.format} ({reasons}); correct the"
            " records or choose another --format"
        )
    used = adapted.conversations[: spec.max_conversations]
    return replace(
        adapted,
        conversations=used,
        dropped=dropped,
        notes=notes,
        rows=adapted.rows[: len(used)],
        reason=detected.reason,
        left_out=len(adapted.conversations) - len(used),
    )


def _faulty_note(numbers: tuple[int, ...]) -> DataNote:
    return DataNote(what=FAULTY, count=len(numbers), rows=numbers[:NAMED_ROWS], dropped=True)
