"""The generate job: greedy answers to a prompts file, appended as they come, resumable.

Answers that are already in the file are not made again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.job import GenerateJob
from autotune.score.answers import Answer, read_answers
from autotune.score.early_verdicts import decided_file, read_decided
from autotune.score.prompt_order import shuffled
from autotune.score.prompts import Prompt, written_prompts
from autotune.score.registry import find_scorer
from autotune.score.scorer import EarlyJudge
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.finite import NumericFault
from autotune.worker.generate.answer_file import append, remove_partial_line
from autotune.worker.generate.batches import generate_batch
from autotune.worker.generate.early_verdict import EarlyVerdicts, text_of
from autotune.worker.generate.engine import EngineFactory
from autotune.worker.generate.registry import chosen
from autotune.worker.generate.reply import GenerationSettings, Reply, never
from autotune.worker.generate.rows import RowsEngine
from autotune.worker.generate.rows_check import can_answer_by_rows
from autotune.worker.model import Loaded, load
from autotune.worker.oom import answer_within_memory
from autotune.worker.tokens.template import FolderTemplate

DATED = (
    "the model's chat template writes today's date into every question: on another day the answers"
    " may be others"
)
"""The words for a template that looks at the clock."""

PROGRESS_SECONDS = 2.0
"""How often progress is reported while no answer is finished."""


def generate(job: GenerateJob, compute: Compute, pipe: Pipe) -> None:
    """Answer what is not answered yet."""
    out = Path(job.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Without early decisions nothing is judged here: an id and a text are all that is asked for.
    kind = Prompt if job.early_seed is None else find_scorer(job.scorer).prompt_type
    prompts = written_prompts(Path(job.prompts), kind)
    remove_partial_line(out)
    answered = {a.key for a in read_answers(out)} if out.exists() else set()
    remove_partial_line(decided_file(out))
    decided = read_decided(decided_file(out))
    if job.early_seed is not None:
        answered |= set(decided)
    left = [p for p in prompts if p.key not in answered]
    if not left:
        return
    pipe.enter("loading")
    loaded = load(Path(job.model_folder), compute.device, job.supervision)
    pipe.enter("generation")
    choice = chosen(job.engine, loaded, compute)
    if choice.warning is not None:
        pipe.emit(events.Warned(message=choice.warning))
    if isinstance(loaded.asks, FolderTemplate) and loaded.asks.is_dated:
        pipe.emit(events.Warned(message=DATED))
    encoded = [(p, loaded.prompt_ids(p.prompt)) for p in in_order(left, job.early_seed)]
    if job.early_seed is None or not choice.entry.by_rows:
        encoded.sort(key=lambda pair: len(pair[1]))
    writer = AnswerWriter(loaded, out, pipe, [p for p, _ in encoded], len(prompts))
    ids = [tokens for _, tokens in encoded]
    begun = {at: decided[p.key].ids for at, (p, _) in enumerate(encoded) if p.key in decided}
    try:
        answer(job, compute, writer, choice.entry.make, ids, begun)
    except NumericFault as fault:
        precision = compute.precision.value
        remedy = "" if compute.precision is Precision.FP32 else "; --precision fp32 has more range"
        raise NumericFault(
            f"model folder {job.model_folder}: {fault} in {precision}, so it has no score{remedy}"
        ) from fault


class AnswerWriter:
    """Writes answers as they come and reports how far the work is."""

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

    def take(
        self, number: int, ids: list[int], finish: Literal["stop", "length"], made: int
    ) -> None:
        """The finished answer to a prompt goes to the disk; `made` as in `report_progress`."""
        prompt = self.prompts[number]
        answer = Answer(
            key=prompt.key,
            prompt=prompt.prompt,
            response=text_of(self.loaded, ids),
            finish=finish,
            new_tokens=len(ids),
        )
        append(self.out, [answer])
        self.mark_done(made)

    def mark_done(self, made: int) -> None:
        """One more prompt is on the disk, answered or decided."""
        self.answers += 1
        self.report_progress(made)

    def report_if_due(self, made: int) -> None:
        """Report it now and then, while no answer is finished."""
        if time.perf_counter() - self.last >= PROGRESS_SECONDS:
            self.report_progress(made)

    def report_progress(self, made: int) -> None:
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


def in_order(prompts: Sequence[Prompt], early_seed: int | None) -> Sequence[Prompt]:
    """The random order that early decisions ask for, where they do."""
    return prompts if early_seed is None else shuffled(prompts, early_seed)


def judges_of(scorer: str, prompts: Sequence[Prompt]) -> list[EarlyJudge | None]:
    """What looks at the growing answer to each prompt."""
    found = find_scorer(scorer)
    return [found.early_judge(prompt) for prompt in prompts]


def answer(
    job: GenerateJob,
    compute: Compute,
    writer: AnswerWriter,
    make: EngineFactory,
    prompts: Sequence[list[int]],
    begun: Mapping[int, Sequence[int]],
) -> None:
    """Have an engine answer the prompts; what it gives goes to the disk as it comes."""
    judges = [] if job.early_seed is None else judges_of(job.scorer, writer.prompts)
    early_verdicts = EarlyVerdicts(writer.loaded, judges, decided_file(writer.out))

    def done(reply: Reply) -> None:
        assert reply.finish is not None
        if reply.finish == "decided":
            early_verdicts.write(reply)
            writer.mark_done(engine.new_tokens)
        else:
            writer.take(reply.number, reply.answer, reply.finish, engine.new_tokens)

    engine = make(
        writer.loaded,
        compute,
        GenerationSettings(job.max_new_tokens, job.batch_size, job.prefill_tokens),
        prompts,
        done,
        on_step=lambda: writer.report_if_due(engine.new_tokens),
        decided=never if job.early_seed is None else early_verdicts.look,
        begun=begun,
    )
    answer_within_memory(
        engine, compute, lambda words: writer.pipe.emit(events.Warned(message=words))
    )


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
    """Answer some prompts in one batch as the job does, but one token of each row at a time.

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

    settings = GenerationSettings(
        max_new_tokens, len(prompts), prefill_tokens, min_new_tokens, guessing=False
    )
    RowsEngine(loaded, compute, settings, prompts, done, on_step=on_token).run()
    return [answers[number] for number in range(len(prompts))]
