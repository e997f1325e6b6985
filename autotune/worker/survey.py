"""The survey job: tokenize the data once and write where every conversation's rounds end."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from autotune import events
from autotune.data.contamination import read_scored_prompts
from autotune.data.conversation import Conversation
from autotune.data.load import ConversationStream
from autotune.data.oddities import Oddities
from autotune.files import write_text_atomic
from autotune.job import SurveyJob
from autotune.survey import RoundSpan, SurveyFile
from autotune.worker.encode import ChatCodec
from autotune.worker.lookover import Lookover
from autotune.worker.pipe import Pipe
from autotune.worker.rows import Encoded
from autotune.worker.tokenizer import load_tokenizer


def survey(job: SurveyJob, pipe: Pipe) -> None:
    """Write the survey file and say what was dropped on the way.

    Conversations are read, tokenized and let go one batch at a time: what stays of each is where
    its rounds end.
    """
    pipe.enter("tokenizing")
    tokenizer = load_tokenizer(Path(job.model_folder))
    codec = ChatCodec(tokenizer, job.data.supervision)
    lookover = None
    if job.inspection is not None:
        lookover = Lookover(job.inspection, job.data.truncation, codec, tokenizer)
    scored = None if job.prompts is None else read_scored_prompts(Path(job.prompts))
    stream = ConversationStream(job.data, scored)
    oddities = Oddities()
    spans: list[tuple[RoundSpan, ...]] = []
    rows: list[int] = []
    written = 0
    for row, conversation, found in tokenized(stream, codec):
        if lookover is not None:
            lookover.look(len(rows), conversation, found)
        oddities.look(conversation, row)
        spans.append(found.spans)
        rows.append(row)
        written += found.written
    adapted = stream.adapted
    survey_file = SurveyFile(
        conversations=tuple(spans),
        dropped=adapted.dropped,
        literal_markers=written,
        notes=(*adapted.notes, *oddities.notes),
        rows=tuple(rows),
    )
    write_text_atomic(Path(job.out), survey_file.model_dump_json())
    if lookover is not None:
        lookover.write(adapted)
    pipe.emit(
        events.Surveyed(
            path=job.out,
            conversations=len(spans),
            dropped=survey_file.dropped,
            literal_markers=written,
            notes=survey_file.notes,
        )
    )


def tokenized(
    stream: ConversationStream, codec: ChatCodec
) -> Iterator[tuple[int, Conversation, Encoded]]:
    """Each conversation with its row number and its tokens; the codec takes some at a time."""
    waiting: deque[tuple[int, Conversation]] = deque()

    def given() -> Iterator[Conversation]:
        for pair in stream:
            waiting.append(pair)
            yield pair[1]

    for found in codec.encoded(given()):
        yield (*waiting.popleft(), found)
