"""The chat job: one answer in a talk, told a piece of text at a time, and ended when asked to.

It is the answer that an evaluation gives: greedy, by the same templates, stops and engines. The
model stays in memory for the next job.
"""

import time
from pathlib import Path

from autotune.base.errors import BadInput
from autotune.data.conversation import Message, Unfit
from autotune.protocol import events
from autotune.protocol.export_jobs import ChatJob, Turn
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.generate.batches import generate_batch
from autotune.worker.generate.early_verdict import text_of
from autotune.worker.generate.reply import GenerationSettings, Reply
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.generate.rows_check import can_answer_by_rows
from autotune.worker.model import Loaded, load

UNFINISHED = "\ufffd"
"""What stands at the end of a text whose last character lacks some of its tokens."""


class _Interrupted(Exception):
    """The person wants no more of this answer."""


class Speaker:
    """Answers job after job with one model."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute
        self.folder = ""
        self.loaded: Loaded | None = None

    def answer(self, job: ChatJob, pipe: Pipe) -> None:
        """Answer the last turn.

        Raises:
            BadInput: the model cannot be used, or its template takes no such talk.
        """
        begin = time.perf_counter()
        if self.loaded is None or self.folder != job.model_folder:
            pipe.enter("loading")
            folder = Path(job.model_folder)
            self.loaded = load(folder, self.compute.device, job.supervision)
            self.folder = job.model_folder
        pipe.enter("generation")
        positions = int(self.loaded.model.config.max_position_embeddings)
        ids, forgotten = fitting(self.loaded, job.turns, positions - job.max_new_tokens)
        voice = Voice(self.loaded, pipe, Path(job.stop_file))
        answer, finish = self._generate(self.loaded, job, ids, voice)
        voice.say(answer, whole=True)
        pipe.emit(
            events.AnswerEnded(
                finish=finish,
                new_tokens=len(answer),
                seconds=time.perf_counter() - begin,
                forgotten=forgotten,
            )
        )

    def _generate(
        self, loaded: Loaded, job: ChatJob, ids: list[int], voice: "Voice"
    ) -> tuple[list[int], events.Finish]:
        """The answer's tokens and how it ended."""
        if not can_answer_by_rows(loaded.model):
            # transformers shows no token before the last: it is said as a whole.
            (answer,) = generate_batch(loaded, self.compute, [ids], job.max_new_tokens)
            return answer, "stop" if answer and answer[-1] in loaded.stop_ids else "length"
        replies: list[Reply] = []

        def heard() -> None:
            if engine.rows:
                voice.say(engine.rows[0].answer)
                voice.listen()

        engine = RowsEngine(
            loaded,
            self.compute,
            GenerationSettings(job.max_new_tokens, 1, job.prefill_tokens),
            [ids],
            replies.append,
            on_step=heard,
        )
        try:
            engine.run()
        except _Interrupted:
            return engine.rows[0].answer, "interrupted"
        reply = replies[0]
        return reply.answer, "stop" if reply.finish == "stop" else "length"


class Voice:
    """Tells what is new of an answer, and hears when it is to end."""

    def __init__(self, loaded: Loaded, pipe: Pipe, stop_file: Path) -> None:
        self.loaded, self.pipe, self.stop_file = loaded, pipe, stop_file
        self.said = ""

    def say(self, answer: list[int], *, whole: bool = False) -> None:
        """Tell the text of these tokens as far as it is new.

        Characters of several tokens wait until they are `whole`, and so does a text that would
        change what was said, as tokenizers that tidy spaces do.
        """
        text = text_of(self.loaded, answer)
        if not whole:
            text = text.rstrip(UNFINISHED)
        if len(text) > len(self.said) and text.startswith(self.said):
            self.pipe.emit(events.Said(text=text[len(self.said) :]))
            self.said = text

    def listen(self) -> None:
        """Look whether the person wants more.

        Raises:
            _Interrupted: they do not.
        """
        if self.stop_file.exists():
            raise _Interrupted


def fitting(loaded: Loaded, turns: tuple[Turn, ...], room: int) -> tuple[list[int], int]:
    """The question's tokens, without as many of the oldest rounds as it takes to fit, and how many.

    A system prompt stays. A question that is too long by itself is truncated on its left by who
    generates.
    """
    head = turns[:1] if turns[0].role == "system" else ()
    rest = turns[len(head) :]
    forgotten = 0
    while True:
        messages = [Message(turn.role, turn.content) for turn in (*head, *rest)]
        try:
            ids = loaded.talk_ids(messages)
        except Unfit as unfit:
            raise BadInput(f"this cannot be asked ({unfit}); say it in other words") from None
        if len(ids) <= room or len(rest) < 3:
            return ids, forgotten
        rest, forgotten = rest[2:], forgotten + 1
