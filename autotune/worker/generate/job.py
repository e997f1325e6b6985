"""The generate job: answers to a prompts file, appended as they come, resumable.

Greedy, or several that are drawn to each prompt. Those already in the file are not made again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from autotune.worker.generate.draws import Draws
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
    answered = {(a.key, a.sample) for a in read_answers(out)} if out.exists() else set()
    remove_partial_line(decided_file(out))
    decided = read_decided(decided_file(out)) if job.sampling is None else {}
    if job.early_seed is not None:
        answered |= {(key, None) for key in decided}
    ordered = in_order(prompts, job.early_seed)
    asked = [Asked(p, sample) for p in ordered for sample in samples_of(job)]
    left = [each for each in asked if (each.prompt.key, each.sample) not in answered]
    if not left:
        return
    pipe.enter("loading")
    loaded = load(Path(job.model_folder), compute.device, job.supervision)
    pipe.enter("generation")
    choice = chosen(job.engine, loaded, compute, sampling=job.sampling is not None)
    if choice.warning is not None:
        pipe.emit(events.Warned(message=choice.warning))
    if isinstance(loaded.asks, FolderTemplate) and loaded.asks.is_dated:
        pipe.emit(events.Warned(message=DATED))
    unanswered = {each.prompt.key for each in left}
    tokens = {p.key: loaded.prompt_ids(p.prompt) for p in prompts if p.key in unanswered}
    if job.early_seed is None or not choice.entry.by_rows:
        left.sort(key=lambda each: len(tokens[each.prompt.key]))
    writer = AnswerWriter(loaded, out, pipe, left, len(asked))
    keys = [each.prompt.key for each in left]
    ids = [tokens[key] for key in keys]
    begun = {at: decided[key].ids for at, key in enumerate(keys) if key in decided}
    try:
        answer(job, compute, writer, choice.entry.make, ids, begun)
    except NumericFault as fault:
        precision = compute.precision.value
        remedy = "" if compute.precision is Precision.FP32 else "; --precision fp32 has more range"
        lacks = "it has no score" if job.sampling is None else "nothing can be sampled"
        raise NumericFault(
            f"model folder {job.model_folder}: {fault} in {precision}, so {lacks}{remedy}"
        ) from fault


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer that is asked for; `sample` is its number where answers are drawn."""

    prompt: Prompt
    sample: int | None


def samples_of(job: GenerateJob) -> Sequence[int | None]:
    """The numbers of the answers to each prompt; a greedy one has none."""
    return [None] if job.sampling is None else range(job.sampling.samples)


class AnswerWriter:
    """Writes answers as they come and reports how far the work is."""

    def __init__(
        self,
        loaded: Loaded,
        out: Path,
        pipe: Pipe,
        asked: Sequence[Asked],
        total: int,
    ) -> None:
        """`asked` are those still to be given, of `total`; the clock of progress starts."""
        self.loaded, self.out, self.pipe, self.asked = loaded, out, pipe, asked
        self.total = total
        self.answers = total - len(asked)
        self.begin = self.last = time.perf_counter()

    def take(
        self, number: int, ids: list[int], finish: Literal["stop", "length"], made: int
    ) -> None:
        """A finished answer goes to the disk; `made` as in `report_progress`."""
        asked = self.asked[number]
        answer = Answer(
            key=asked.prompt.key,
            prompt=asked.prompt.prompt,
            response=text_of(self.loaded, ids),
            finish=finish,
            new_tokens=len(ids),
            sample=asked.sample,
        )
        append(self.out, [answer])
        self.mark_done(made)

    def mark_done(self, made: int) -> None:
        """One more is on the disk, finished or decided."""
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


def draws_of(job: GenerateJob, asked: Sequence[Asked]) -> Draws | None:
    """What is drawn for these answers; None where they are greedy."""
    if job.sampling is None:
        return None
    return Draws(job.sampling, [(each.prompt.key, each.sample or 0) for each in asked])


def answer(
    job: GenerateJob,
    compute: Compute,
    writer: AnswerWriter,
    make: EngineFactory,
    prompts: Sequence[list[int]],
    begun: Mapping[int, Sequence[int]],
) -> None:
    """Have an engine answer the prompts; what it gives goes to the disk as it comes."""
    judges = []
    if job.early_seed is not None:
        judges = judges_of(job.scorer, [each.prompt for each in writer.asked])
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
        GenerationSettings(
            job.max_new_tokens,
            job.batch_size,
            job.prefill_tokens,
            draws=draws_of(job, writer.asked),
        ),
        prompts,
        done,
        on_step=lambda: writer.report_if_due(engine.new_tokens),
        decided=never if job.early_seed is None else early_verdicts.look,
        begun=begun,
    )
    answer_within_memory(
        engine,
        compute,
        lambda words: writer.pipe.emit(events.Warned(message=words)),
        "evaluation" if job.sampling is None else "sampling",
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
    read_rows: int | None = None,
) -> list[list[int]]:
    """Answer some prompts in one batch as the job does, but one token of each row at a time.

    `on_token` is called after every pass. It is what a trial times and measures: a pass with
    guesses takes less memory than one that reads `prefill_tokens` of prompts.

    Of all prompts but the first `read_rows` only the last token is read; the keys and values of the
    rest are zero, though they take their memory and are attended to. None: all are read.
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
    engine = RowsEngine(loaded, compute, settings, prompts, done, on_step=on_token)
    if read_rows is not None:
        engine.skip_reading(read_rows)
    engine.run()
    return [answers[number] for number in range(len(prompts))]
