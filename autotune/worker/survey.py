"""The survey job: tokenize the data once and write where every conversation's rounds end."""

from pathlib import Path

from autotune import events
from autotune.data.load import load_conversations
from autotune.files import write_text_atomic
from autotune.job import SurveyJob
from autotune.survey import SurveyFile
from autotune.worker.encode import ChatCodec
from autotune.worker.model import load_tokenizer
from autotune.worker.pipe import Pipe


def survey(job: SurveyJob, pipe: Pipe) -> None:
    """Write the survey file and say what was dropped on the way."""
    pipe.enter("tokenizing")
    codec = ChatCodec(load_tokenizer(Path(job.model_folder)), job.data.supervision)
    adapted = load_conversations(job.data)
    spans = tuple(codec.spans(conversation) for conversation in adapted.conversations)
    found = SurveyFile(
        conversations=spans, dropped=adapted.dropped, literal_markers=codec.literal_markers
    )
    write_text_atomic(Path(job.out), found.model_dump_json())
    pipe.emit(
        events.Surveyed(
            path=job.out,
            conversations=len(spans),
            dropped=adapted.dropped,
            literal_markers=codec.literal_markers,
        )
    )
