"""The generate job: greedy answers to a prompts file, appended as they come, resumable.

Prompts go in by length. Answers that are already in the file are not made again.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from autotune import events
from autotune.evaluate.answers import Answer, read_answers
from autotune.evaluate.early import EarlyJudge
from autotune.evaluate.prompts import Prompt, written_prompts
from autotune.job import GenerateJob
from autotune.plan import Supervision
from autotune.worker.answerfile import append, mend_torn_line
from autotune.worker.answering import Answering, Finish, Reply, Settings, never
from autotune.worker.compute import Compute
from autotune.worker.model import Loaded, load
from autotune.worker.pipe import Pipe
from autotune.worker.plain import batches, generate_batch
from autotune.worker.rowcheck import can_answer_by_rows
from autotune.worker.withinmemory import answer_within_memory

BEAT_SECONDS = 2.0
"""How often progress is told while no answer is finished."""


def generate(job: GenerateJob, compute: Compute, pipe: Pipe) -> None:
    """Answer what is not answered yet."""
    out = Path(job.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    prompts = written_prompts(Path(job.prompts))
    mend_torn_line(out)
    answered = {a.key for a in read_answers(out)} if out.exists() else set()
    left = [p for p in prompts if p.key not in answered]
    begin = time.perf_counter()
    pipe.enter("loading")
    loaded = load(Path(job.model_folder), compute.device, Supervision.CONTENT)
    pipe.enter("generate")
    encoded = sorted(
        ((p, loaded.prompt_ids(p.prompt)) for p in left), key=lambda pair: len(pair[1])
    )
    desk = Desk(loaded, out, pipe, [p for p, _ in encoded], len(prompts))
    ids = [tokens for _, tokens in encoded]
    if can_answer_by_rows(loaded.model):
        by_rows(job, compute, desk, ids)
    else:
        in_batches(job, compute, desk, ids)
    pipe.emit(
        events.Generated(path=str(out), answers=len(prompts), seconds=time.perf_counter() - begin)
    )


class Desk:
    """Writes answers down as they come and tells how far the work is."""

    def __init__(
        self,
        loaded: Loaded,
        out: Path,
        pipe: Pipe,
        prompts: Sequence[Prompt],
        total: int,
    ) -> None:
        """`prompts` are those still to be answered, of `total`; the clock of progress starts."""
        self.loaded, self.out, self.pipe, self.prompts = loaded, out, pipe, prompts
        self.total = total
        self.answers = total - len(prompts)
        self.begin = self.last = time.perf_counter()

    def take(self, number: int, ids: list[int], finish: Finish, made: int) -> None:
        """The finished answer to a prompt goes to the disk; `made` as in `tell`."""
        prompt = self.prompts[number]
        answer = Answer(
            key=prompt.key,
            prompt=prompt.prompt,
            response=self.text(ids),
            finish=finish,
            new_tokens=len(ids),
        )
        append(self.out, [answer])
        self.answers += 1
        self.tell(made)

    def text(self, ids: list[int]) -> str:
        """An answer's text, without the token that ends it."""
        stopped = bool(ids) and ids[-1] in self.loaded.stop_ids
        return str(
            self.loaded.tokenizer.decode(ids[:-1] if stopped else ids, skip_special_tokens=True)
        )

    def beat(self, made: int) -> None:
        """Tell it now and then, while no answer is finished."""
        if time.perf_counter() - self.last >= BEAT_SECONDS:
            self.tell(made)

    def tell(self, made: int) -> None:
        """So many answers are on disk; this job made `made` tokens of answers, finished or not."""
        self.last = time.perf_counter()
        self.pipe.emit(
            events.Answered(
                done=self.answers,
                total=self.total,
                new_tokens=made,
                seconds=self.last - self.begin,
            )
        )


def by_rows(job: GenerateJob, compute: Compute, desk: Desk, prompts: Sequence[list[int]]) -> None:
    """Answer with rows that come and leave by themselves."""

    def done(reply: Reply) -> None:
        assert reply.finish is not None
        desk.take(reply.number, reply.answer, reply.finish, answering.new_tokens)

    answering = Answering(
        desk.loaded,
        compute,
        Settings(job.max_new_tokens, job.batch_size, job.prefill_tokens),
        prompts,
        done,
        on_step=lambda: desk.beat(answering.new_tokens),
        decided=early_verdicts(desk) if job.decide_early else never,
    )
    answer_within_memory(answering, lambda words: desk.pipe.emit(events.Warned(message=words)))


def early_verdicts(desk: Desk) -> Callable[[Reply], bool]:
    """Whether the strict verdict on an answer is certain already."""
    judges = [EarlyJudge(prompt) for prompt in desk.prompts]
    return lambda reply: judges[reply.number].look(desk.text(reply.answer)) is not None


def in_batches(
    job: GenerateJob, compute: Compute, desk: Desk, prompts: Sequence[list[int]]
) -> None:
    """Answer a batch after the other, for models that can do no better."""
    made = 0

    def token() -> None:
        desk.beat(made)  # how many of the batch still grow is not known

    for part in batches([len(ids) for ids in prompts], job.batch_size, job.prefill_tokens):
        answers = generate_batch(
            desk.loaded, compute, prompts[part], job.max_new_tokens, on_token=token
        )
        for number, ids in zip(range(part.start, part.stop), answers, strict=True):
            stopped = bool(ids) and ids[-1] in desk.loaded.stop_ids
            made += len(ids)
            desk.take(number, ids, "stop" if stopped else "length", made)


def answer_batch(
    loaded: Loaded,
    compute: Compute,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    on_token: Callable[[], None] = lambda: None,
    *,
    min_new_tokens: int = 0,
    prefill_tokens: int = 4096,
) -> list[list[int]]:
    """Answer some prompts at once as the job does, but one token of each row at a time.

    `on_token` is called after every pass. It is what a trial times and measures: a pass with
    guesses takes less memory than one that reads `prefill_tokens` of prompts.
    """
    if not can_answer_by_rows(loaded.model):
        return generate_batch(
            loaded, compute, prompts, max_new_tokens, on_token, min_new_tokens=min_new_tokens
        )
    answers: dict[int, list[int]] = {}

    def done(reply: Reply) -> None:
        answers[reply.number] = reply.answer

    settings = Settings(
        max_new_tokens, len(prompts), prefill_tokens, min_new_tokens, guessing=False
    )
    Answering(loaded, compute, settings, prompts, done, on_step=on_token).run()
    return [answers[number] for number in range(len(prompts))]
