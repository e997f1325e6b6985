"""From a data spec to the conversations that every later step works with."""

from dataclasses import replace
from pathlib import Path

from autotune.data.adapters import AUTO, BY_NAME, Adapted, Detected, adapt, detect_format
from autotune.data.contamination import (
    DROPPED,
    Contamination,
    ScoredPrompts,
    read_scored_prompts,
)
from autotune.data.files import read_records
from autotune.datanotes import NAMED_ROWS, DataNote, rows_text
from autotune.errors import BadInput
from autotune.plan import DataSpec

FAULTY = "faulty record"
"""The reason under which records that --skip-bad tolerated are counted."""


def load_conversations(spec: DataSpec, scored: ScoredPrompts | None = None) -> Adapted:
    """The first `max_conversations` conversations of a file, the same on every call.

    `dropped` counts over the whole file, so kept, left out and dropped add up to its records. The
    notes also tell which of the used rows hold one of the `scored` prompts; rows that hold one of
    `spec.drop_prompts` are not among them.

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
    if records.misnamed:
        notes = (*notes, DataNote(what=f"the file is {records.misnamed}", count=0))
    if not adapted.conversations:
        reasons = "; ".join(
            f"{note.what}: {note.count}, {rows_text(note)}" for note in notes if note.dropped
        )
        raise BadInput(
            f"{spec.path}: no conversations in format {detected.format} ({reasons}); correct the"
            " records or choose another --format"
        )
    adapted = replace(adapted, notes=notes, dropped=dropped)
    if spec.drop_prompts is not None:
        adapted = _without(adapted, read_scored_prompts(Path(spec.drop_prompts)))
        if not adapted.conversations:
            raise BadInput(f"{spec.path}: {DROPPED} in every row; train on other data")
    every = len(adapted.conversations)
    used = adapted.conversations[: spec.max_conversations]
    notes = adapted.notes
    if len(used) < every:
        what = f"{len(used)} of {every} conversations are used (max_conversations of the profile)"
        notes = (*notes, DataNote(what=what, count=0))
    if scored is not None:
        contamination = Contamination(scored)
        for row, conversation in zip(adapted.rows, used, strict=False):
            contamination.look(conversation, row)
        notes = (*notes, *contamination.notes)
    return replace(
        adapted,
        conversations=used,
        notes=notes,
        rows=adapted.rows[: len(used)],
        reason="; ".join(filter(None, (detected.reason, records.remark))),
        left_out=every - len(used),
    )


def _without(adapted: Adapted, prompts: ScoredPrompts) -> Adapted:
    """Those without a scored prompt in them; the others are counted as dropped."""
    pairs = list(zip(adapted.rows, adapted.conversations, strict=True))
    kept = [(row, talk) for row, talk in pairs if not prompts.found_in(talk)]
    if len(kept) == len(pairs):
        return adapted
    stay = {row for row, _ in kept}
    gone = [row for row, _ in pairs if row not in stay]
    note = DataNote(what=DROPPED, count=len(gone), rows=tuple(gone[:NAMED_ROWS]), dropped=True)
    return replace(
        adapted,
        conversations=tuple(talk for _, talk in kept),
        rows=tuple(row for row, _ in kept),
        dropped=adapted.dropped | {DROPPED: len(gone)},
        notes=(*adapted.notes, note),
    )


def _faulty_note(numbers: tuple[int, ...]) -> DataNote:
    return DataNote(what=FAULTY, count=len(numbers), rows=numbers[:NAMED_ROWS], dropped=True)
