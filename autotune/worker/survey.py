"""The survey job: tokenize the data once and write where every conversation's rounds end."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from autotune import events
from autotune.data.adapters import Adapted
from autotune.data.load import load_conversations
from autotune.data.oddities import oddities
from autotune.datanotes import DataNote, NoteBook
from autotune.errors import BadInput
from autotune.files import move, write_text_atomic
from autotune.inspection import Inspection, InspectionSpec, Sample, StopTokens
from autotune.job import SurveyJob
from autotune.plan import Supervision
from autotune.survey import RoundSpan, SurveyFile
from autotune.worker.encode import ChatCodec
from autotune.worker.model import load_tokenizer
from autotune.worker.pipe import Pipe
from autotune.worker.rows import Row, row_of
from autotune.worker.samples import text_runs

TOUCHING = {
    Supervision.CONTENT: "the tokenizer would join the beginning of an answer to the line before"
    " it; it is kept apart, as in the question that asks for it",
    Supervision.COURSE: "the tokenizer joins the beginning of an answer to the line before it,"
    " which it does not where the answer is asked for",
}
"""The notes on answers that do not begin where their prompt ends."""

UNKNOWN = "text that the vocabulary of the tokenizer lacks; it is trained on as unknown"

AROUND = (
    "the tokenizer puts {} around a text by itself; rows and questions have only what the chat"
    " template writes, in training and in evaluation alike"
)


def survey(job: SurveyJob, pipe: Pipe) -> None:
    """Write the survey file and say what was dropped on the way."""
    pipe.enter("tokenizing")
    tokenizer = load_tokenizer(Path(job.model_folder))
    codec = ChatCodec(tokenizer, job.data.supervision)
    adapted = load_conversations(job.data)
    found = surveyed(codec, adapted, job.data.path)
    text = found.model_dump_json(exclude_defaults=True)  # most rounds have no pieces
    write_text_atomic(Path(job.out), text)
    if job.inspection is not None:
        pipe.enter("rows")
        inspect(job.inspection, job, adapted, codec, tokenizer)
    pipe.emit(
        events.Surveyed(
            path=job.out,
            conversations=sum(1 for rounds in found.conversations if rounds),
            dropped=found.dropped,
            literal_markers=found.literal_markers,
            notes=found.notes,
        )
    )


def surveyed(codec: ChatCodec, adapted: Adapted, path: str) -> SurveyFile:
    """Where every conversation's rounds end, and what was met while they were tokenized.

    Raises:
        BadInput: the tokenizer makes a row of none of them.
    """
    dropped = Counter(adapted.dropped)
    book = NoteBook()
    written = 0
    spans: list[tuple[RoundSpan, ...]] = []
    rows = adapted.rows or range(1, len(adapted.conversations) + 1)
    for row, found in zip(rows, codec.encoded(adapted.conversations), strict=True):
        spans.append(found.spans)
        written += found.written
        if found.refused is not None:
            dropped[found.refused] += 1
            book.add(found.refused, row, dropped=True)
        if found.touching:
            book.add(TOUCHING[codec.supervision], row)
        if found.unknown:
            book.add(UNKNOWN, row, warning=True)
    if not any(spans):
        reasons = ", ".join(f"{note.what}: {note.count}" for note in book.notes if note.dropped)
        raise BadInput(
            f"{path}: the tokenizer makes a row of no conversation ({reasons}); choose another"
            " model or --supervision course"
        )
    notes = [*adapted.notes, *oddities(adapted.conversations, adapted.rows), *book.notes]
    if around := codec.whole.puts_around:
        notes.append(DataNote(what=AROUND.format(" and ".join(around)), count=0))
    return SurveyFile(
        conversations=tuple(spans),
        dropped=dict(dropped),
        literal_markers=written,
        notes=tuple(notes),
        rows=adapted.rows,
    )


def inspect(
    spec: InspectionSpec, job: SurveyJob, adapted: Adapted, codec: ChatCodec, tokenizer: Any
) -> None:
    """Write what a person wants to see, and the rows themselves where they are asked for."""
    rows = kept_rows_with_index(spec, job, adapted, codec)
    samples: list[Sample] = []
    markers = frozenset({codec.start_id, codec.end_id})

    def sampled() -> Iterator[Row]:
        """Pass the rows on, keeping the first few as samples."""
        for at, row in rows:
            if len(samples) < spec.samples:
                samples.append(
                    Sample(
                        conversation=at,
                        tokens=len(row.input_ids),
                        supervised_tokens=row.supervised,
                        runs=text_runs(row, tokenizer, markers),
                    )
                )
            elif spec.features is None:
                return  # nobody asks for the other rows
            yield row

    if spec.features is not None:
        write_features(Path(spec.features), sampled())
    else:
        for _ in sampled():
            pass
    eos = tokenizer.eos_token_id
    found = Inspection(
        format=adapted.format,
        reason=adapted.reason,
        trimmed=adapted.trimmed,
        left_out=adapted.left_out,
        roles=dict(Counter(m.role for c in adapted.conversations for m in c.messages)),
        source_roles=adapted.source_roles,
        supervision=codec.supervision,
        stop=StopTokens(
            end_token=codec.end_token,
            end_id=codec.end_id,
            eos_token=tokenizer.eos_token,
            eos_id=None if eos is None else int(eos),
        ),
        samples=tuple(samples),
    )
    write_text_atomic(Path(spec.out), found.model_dump_json())


def kept_rows_with_index(
    spec: InspectionSpec, job: SurveyJob, adapted: Adapted, codec: ChatCodec
) -> Iterator[tuple[int, Row]]:
    """One row at a time, those with a supervised token left, each with its conversation's index."""
    for at, found in enumerate(codec.encoded(adapted.conversations)):
        row = row_of(
            found,
            max_rounds=spec.max_rounds,
            model_max_length=spec.model_max_length,
            truncation=job.data.truncation,
        )
        if row.supervised:
            yield at, row


def write_features(path: Path, rows: Iterable[Row]) -> None:
    """`input_ids` and `labels` of each row, a JSON object a line, written as they come."""
    work = path.with_name(f".{path.name}.tmp")
    with work.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            json.dump({"input_ids": row.input_ids, "labels": row.labels}, file)
            file.write("\n")
    move(work, path)
