"""From a data spec to the conversations that every later step works with."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.data.contamination import (
    DROPPED,
    Contamination,
    ScoredPrompts,
    read_scored_prompts,
)
from autotune.data.conversation import Conversation
from autotune.data.files import RecordStream
from autotune.data.oddities import Oddities
from autotune.data.reading import (
    AUTO,
    BY_NAME,
    Adapted,
    Detected,
    Reading,
    demand_known,
    detect_format,
)
from autotune.data.turns import CANNOT
from autotune.protocol.data_notes import NAMED_ROWS, DataNote, rows_text
from autotune.protocol.plan import DataSpec

FAULTY = "faulty record"
"""The reason under which records that --skip-bad tolerated are counted."""


class ConversationStream:
    """The conversations of a file that are used, one at a time, so that few are in memory at once.

    Once all have been given out, `adapted` has what was counted and noted, without them.
    """

    def __init__(
        self,
        spec: DataSpec,
        scored: ScoredPrompts | None = None,
        no_tools: str | Callable[[], str | None] | None = CANNOT,
        oddities: Oddities | None = None,
    ) -> None:
        """As `load_conversations`; `no_tools` may also be asked for once the format is known.

        `oddities` look at the conversations that are used, and are among the notes.
        """
        self.spec = spec
        self._no_tools = no_tools
        self._oddities = oddities
        self.adapted: Adapted
        self._looked = Contamination(scored) if scored is not None else None
        self._drop = read_scored_prompts(Path(spec.drop_prompts)) if spec.drop_prompts else None

    def __iter__(self) -> Iterator[tuple[int, Conversation]]:
        """Each with its row number, in the order of the file, which is read twice.

        Raises:
            BadInput: the file cannot be read as chat data, or keeps no conversation at all.
        """
        records = RecordStream(Path(self.spec.path), self.spec.skip_bad)
        detected = self._format(records)
        no_tools = self._no_tools() if callable(self._no_tools) else self._no_tools
        mixed = self.spec.format == AUTO
        reading = Reading(detected.format, mixed=mixed, no_tools=no_tools)
        kept, used = 0, 0
        gone: list[int] = []
        for number, row in records:
            conversation = reading.conversation(row, number)
            if conversation is None:
                continue
            if self._drop is not None and self._drop.found_in(conversation):
                gone.append(number)
                continue
            kept += 1
            if used != self.spec.max_conversations:
                used += 1
                if self._looked is not None:
                    self._looked.look(conversation, number)
                if self._oddities is not None:
                    self._oddities.look(conversation, number)
                yield number, conversation
        self.adapted = self._summary(records, detected, reading.adapted(), gone, (used, kept))
        if not kept:
            raise self._nothing_kept()

    def _format(self, records: RecordStream) -> Detected:
        """The format, which only all records together decide where none is named."""
        try:
            if self.spec.format == AUTO:
                return detect_format(row for _, row in records)
            demand_known(self.spec.format)
            return Detected(self.spec.format, BY_NAME)
        except BadInput as error:
            message = str(error)
            raise BadInput(
                message if message.startswith(self.spec.path) else f"{self.spec.path}: {message}"
            ) from None

    def _summary(
        self,
        records: RecordStream,
        detected: Detected,
        adapted: Adapted,
        gone: list[int],
        counts: tuple[int, int],
    ) -> Adapted:
        used, kept = counts
        dropped, notes = dict(adapted.dropped), list(adapted.notes)
        for what, numbers in ((FAULTY, records.faulty), (DROPPED, gone)):
            if numbers:
                dropped[what] = len(numbers)
                notes.append(_dropped_note(what, numbers))
        if records.misnamed:
            notes.append(DataNote(what=f"the file is {records.misnamed}", count=0))
        if used < kept:
            of = counted(kept, "conversation")
            verb = "is" if used == 1 else "are"
            what = f"{used} of {of} {verb} used (max_conversations = {used})"
            notes.append(DataNote(what=what, count=0))
        if self._looked is not None:
            notes += self._looked.notes
        if self._oddities is not None:
            notes += self._oddities.notes
        return replace(
            adapted,
            dropped=dropped,
            notes=tuple(notes),
            reason="; ".join(filter(None, (detected.reason, records.remark))),
            left_out=kept - used,
        )

    def _nothing_kept(self) -> BadInput:
        reasons = "; ".join(
            f"{note.what}: {note.count}, {rows_text(note)}"
            for note in self.adapted.notes
            if note.dropped
        )
        return BadInput(
            f"{self.spec.path}: no conversations in format {self.adapted.format} ({reasons});"
            " correct the records or choose another --format"
        )


def load_conversations(
    spec: DataSpec, scored: ScoredPrompts | None = None, no_tools: str | None = CANNOT
) -> Adapted:
    """The first `max_conversations` conversations of a file, the same on every call.

    `dropped` counts over the whole file, so kept, left out and dropped add up to its records. The
    notes also tell which of the used rows hold one of the `scored` prompts; rows that hold one of
    `spec.drop_prompts` are not among them. `no_tools` says why records with tools are dropped, in
    words that follow what they have; with None they are read, and who has the model's chat template
    says of each whether it can write it.

    Raises:
        BadInput: the file cannot be read as chat data, or keeps no conversation at all.
    """
    stream = ConversationStream(spec, scored, no_tools)
    found = list(stream)
    return replace(
        stream.adapted,
        conversations=tuple(conversation for _, conversation in found),
        rows=tuple(row for row, _ in found),
    )


def _dropped_note(what: str, numbers: list[int]) -> DataNote:
    rows = tuple(numbers[:NAMED_ROWS])
    return DataNote(what=what, count=len(numbers), rows=rows, dropped=True)
