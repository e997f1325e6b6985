"""The survey job: tokenize the data once and write where every conversation's rounds end."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from autotune import events
from autotune.data.adapters import Adapted
from autotune.data.contamination import read_scored_prompts
from autotune.data.load import load_conversations
from autotune.data.oddities import oddities
from autotune.files import move, write_text_atomic
from autotune.inspection import Inspection, InspectionSpec, Sample, StopTokens
from autotune.job import SurveyJob
from autotune.survey import SurveyFile
from autotune.worker.encode import ChatCodec, Row
from autotune.worker.model import load_tokenizer
from autotune.worker.pipe import Pipe
from autotune.worker.samples import text_runs


def survey(job: SurveyJob, pipe: Pipe) -> None:
    """Write the survey file and say what was dropped on the way."""
    pipe.enter("tokenizing")
    tokenizer = load_tokenizer(Path(job.model_folder))
    codec = ChatCodec(tokenizer, job.data.supervision)
    scored = None if job.prompts is None else read_scored_prompts(Path(job.prompts))
    adapted = load_conversations(job.data, scored)
    notes = (*adapted.notes, *oddities(adapted.conversations, adapted.rows))
    spans = tuple(codec.spans(conversation) for conversation in adapted.conversations)
    found = SurveyFile(
        conversations=spans,
        dropped=adapted.dropped,
        literal_markers=codec.literal_markers,
        notes=notes,
        rows=adapted.rows,
    )
    write_text_atomic(Path(job.out), found.model_dump_json())
    if job.inspection is not None:
        pipe.enter("rows")
        inspect(job.inspection, job, adapted, codec, tokenizer)
    pipe.emit(
        events.Surveyed(
            path=job.out,
            conversations=len(spans),
            dropped=adapted.dropped,
            literal_markers=codec.literal_markers,
            notes=notes,
        )
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
    for at, conversation in enumerate(adapted.conversations):
        row = codec.encode(
            conversation,
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
