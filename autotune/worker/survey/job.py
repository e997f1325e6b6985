"""The survey job: tokenize the data once and write where every conversation's rounds end."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import TypeAdapter

from autotune.base.errors import BadInput
from autotune.base.files import write_bytes_atomic
from autotune.data.conversation import Conversation
from autotune.data.survey import SurveyFile
from autotune.data.truncation import RoundSpan
from autotune.protocol import events
from autotune.protocol.choices import Supervision
from autotune.protocol.data_notes import DataNote, NoteCollector
from autotune.protocol.job import SurveyJob
from autotune.worker.channel import Pipe
from autotune.worker.parallel import usable_cores
from autotune.worker.survey.apart import Stream, conversations_of
from autotune.worker.survey.features import SampleCollector
from autotune.worker.tokens.encode import ChatCodec
from autotune.worker.tokens.rows import Encoded
from autotune.worker.tokens.tokenizer import load_tokenizer

TOUCHING_WARNINGS = {
    Supervision.CONTENT: "the tokenizer would join the beginning of an answer to the line before"
    " it; it is kept apart, as in the question that asks for it",
    Supervision.COURSE: "the tokenizer joins the beginning of an answer to the line before it,"
    " which it does not where the answer is asked for",
}
"""The notes on answers that do not begin where their prompt ends."""

SIGN_OF_LIFE_ROWS = 2000
"""Conversations between two signs of life: seconds, and minutes where the machine is taken."""

MAX_THREADS = 8
"""Threads that tokenize: reading and laying out a row takes a third of what tokenizing it does, and
one core, so that more than four find nothing to do (docs/LOG.md)."""

UNKNOWN = "text that the vocabulary of the tokenizer lacks; it is encoded as the unknown token"

BY_TEMPLATE = "tools, a call or a result, written as the model's own chat template writes them"

WRAPPED_TEXT_WARNING = (
    "the tokenizer puts {} around a text by itself; sequences and prompts have only what the"
    " chat template writes, in training and in evaluation alike"
)


def survey(job: SurveyJob, pipe: Pipe) -> None:
    """Write the survey file and say what was dropped on the way.

    Conversations are read, tokenized and let go one batch at a time: what stays of each is where
    its rounds end.

    Raises:
        BadInput: the data cannot be used, or the tokenizer makes a row of none of it.
    """
    pipe.enter("tokenizing")
    prompts = None if job.prompts is None else Path(job.prompts)
    with conversations_of(job.data, prompts) as begun:
        tokenizer = load_tokenizer(Path(job.model_folder))
        codec = ChatCodec(tokenizer, job.data.supervision)
        samples = None
        if job.inspection is not None:
            samples = SampleCollector(job.inspection, job.data.truncation, codec, tokenizer)
        stream = begun(codec.tool_rows.no_tools)
        found = surveyed(codec, stream, samples, alive=lambda: pipe.enter("tokenizing"))
    # Most rounds have no pieces. As bytes at once: a text of them would stand beside them.
    dumped = TypeAdapter(SurveyFile).dump_json(found, exclude_defaults=True)
    write_bytes_atomic(Path(job.out), dumped)
    if samples is not None:
        samples.write(stream.adapted)
    pipe.emit(
        events.Surveyed(
            path=job.out,
            conversations=sum(1 for rounds in found.conversations if rounds),
            dropped=found.dropped,
            literal_markers=found.literal_markers,
            notes=found.notes,
            strategies=job.strategies,
            data=job.label,
        )
    )


def surveyed(
    codec: ChatCodec,
    stream: Stream,
    samples: SampleCollector | None = None,
    alive: Callable[[], None] = lambda: None,
) -> SurveyFile:
    """Where every conversation's rounds end, and what was met while they were tokenized.

    `alive` is called now and then: a million conversations take longer than a worker may be silent.

    Raises:
        BadInput: the data cannot be used, or the tokenizer makes a row of none of it.
    """
    refused: Counter[str] = Counter()
    book = NoteCollector()
    spans: list[tuple[RoundSpan, ...]] = []
    rows: list[int] = []
    written = 0
    for row, conversation, found in tokenized(stream, codec):
        if len(rows) % SIGN_OF_LIFE_ROWS == 0:
            alive()
        if samples is not None:
            samples.look(len(rows), conversation, found)
        spans.append(found.spans)
        rows.append(row)
        written += found.written
        if found.refused is not None:
            refused[found.refused] += 1
            book.add(found.refused, row, dropped=True)
        if found.by_template:
            book.add(BY_TEMPLATE, row)
        if found.touching:
            book.add(TOUCHING_WARNINGS[codec.supervision], row)
        if found.unknown:
            book.add(UNKNOWN, row, warning=True)
    if not any(spans):
        reasons = ", ".join(f"{note.what}: {note.count}" for note in book.notes if note.dropped)
        raise BadInput(
            f"{stream.spec.path}: the tokenizer encodes no conversation ({reasons}); choose another"
            " model or --supervision course"
        )
    adapted = stream.adapted
    notes = [*adapted.notes, *book.notes]
    if around := codec.whole.puts_around:
        notes.append(DataNote(what=WRAPPED_TEXT_WARNING.format(" and ".join(around)), count=0))
    return SurveyFile.model_construct(  # all of it is ours, and validating copies it
        conversations=tuple(spans),
        dropped=dict(Counter(adapted.dropped) + refused),
        literal_markers=written,
        notes=tuple(notes),
        rows=tuple(rows),
    )


def tokenized(stream: Stream, codec: ChatCodec) -> Iterator[tuple[int, Conversation, Encoded]]:
    """Each conversation with its row number and its tokens; the codec takes some at a time."""
    waiting: deque[tuple[int, Conversation]] = deque()

    def given() -> Iterator[Conversation]:
        for pair in stream:
            waiting.append(pair)
            yield pair[1]

    for found in codec.encoded(given(), min(usable_cores(), MAX_THREADS)):
        yield (*waiting.popleft(), found)
