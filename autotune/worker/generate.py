"""The generate job: greedy answers to a prompts file, appended as they come, resumable.

Prompts are sorted by length and answered in batches, left-padded; an answer ends at the turn's
end token or the tokenizer's eos. Answers that are already in the file are not made again.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import StoppingCriteria

from autotune import events
from autotune.evaluate.answers import Answer, read_answers
from autotune.evaluate.prompts import written_prompts
from autotune.job import GenerateJob
from autotune.plan import Supervision
from autotune.worker.compute import Compute
from autotune.worker.model import Loaded, load
from autotune.worker.pipe import Pipe


def generate(job: GenerateJob, compute: Compute, pipe: Pipe) -> None:
    """Answer what is not answered yet."""
    begin = time.perf_counter()
    out = Path(job.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    prompts = written_prompts(Path(job.prompts))
    mend_torn_line(out)
    answered = {a.key for a in read_answers(out)} if out.exists() else set()
    left = [p for p in prompts if p.key not in answered]
    pipe.enter("loading")
    loaded = load(Path(job.model_folder), compute.device, Supervision.CONTENT)
    pipe.enter("generate")
    encoded = sorted(
        ((p, loaded.prompt_ids(p.prompt)) for p in left), key=lambda pair: len(pair[1])
    )
    new_tokens = 0
    done = len(prompts) - len(left)
    for part in batches([len(ids) for _, ids in encoded], job.batch_size, job.prefill_tokens):
        batch = encoded[part]
        beat = Beat(pipe, done, len(prompts), len(batch), job.max_new_tokens, new_tokens, begin)
        results = answer_batch(
            loaded, compute, [ids for _, ids in batch], job.max_new_tokens, on_token=beat.token
        )
        answers = []
        for (prompt, _), ids in zip(batch, results, strict=True):
            stopped = bool(ids) and ids[-1] in loaded.stop_ids
            text = loaded.tokenizer.decode(ids[:-1] if stopped else ids, skip_special_tokens=True)
            answers.append(
                Answer(
                    key=prompt.key,
                    prompt=prompt.prompt,
                    response=text,
                    finish="stop" if stopped else "length",
                    new_tokens=len(ids),
                )
            )
            new_tokens += len(ids)
        append(out, answers)
        done += len(batch)
        pipe.emit(
            events.Answered(
                done=done,
                total=len(prompts),
                new_tokens=new_tokens,
                seconds=time.perf_counter() - begin,
            )
        )
    pipe.emit(
        events.Generated(path=str(out), answers=len(prompts), seconds=time.perf_counter() - begin)
    )


def batches(lengths: Sequence[int], batch_size: int, prefill_tokens: int) -> list[slice]:
    """Slices of prompts in order of length; rows x longest prompt stays within `prefill_tokens`.

    One very long prompt would otherwise pad a whole batch to its length.
    """
    parts: list[slice] = []
    start = 0
    for at in range(len(lengths)):
        rows = at + 1 - start
        if rows > 1 and (rows > batch_size or rows * lengths[at] > prefill_tokens):
            parts.append(slice(start, at))
            start = at
    return [*parts, slice(start, len(lengths))] if lengths else parts


class Beat:
    """Says every two seconds that a batch is under way, counting it as done in parts."""

    def __init__(
        self,
        pipe: Pipe,
        done: int,
        total: int,
        rows: int,
        max_new_tokens: int,
        made: int,
        begin: float,
    ) -> None:
        self.pipe, self.done, self.total, self.rows = pipe, done, total, rows
        self.max_new_tokens, self.made, self.begin = max_new_tokens, made, begin
        self.tokens = 0
        self.last = time.perf_counter()

    def token(self) -> None:
        """One more token for every row of the batch."""
        self.tokens += 1
        now = time.perf_counter()
        if now - self.last >= 2.0:
            self.last = now
            part = int(self.rows * self.tokens / self.max_new_tokens)
            self.pipe.emit(
                events.Answered(
                    done=min(self.total, self.done + part),
                    total=self.total,
                    new_tokens=self.made + self.tokens * self.rows,
                    seconds=now - self.begin,
                )
            )


class OnToken(StoppingCriteria):
    """Calls back after every token of a batch; stops nothing."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """One False a row: go on."""
        self.call()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def answer_batch(
    loaded: Loaded,
    compute: Compute,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    on_token: Callable[[], None] = lambda: None,
    *,
    min_new_tokens: int = 0,
) -> list[list[int]]:
    """Greedy continuations of B prompts, each cut after its first stop token.

    A prompt too long for the model's positions is cut on its left, as evaluation harnesses do,
    and an answer ends with the last position.
    """
    model, stop = loaded.model, loaded.stop_ids
    positions = int(model.config.max_position_embeddings)
    room = max(1, positions - max_new_tokens)
    cut = [ids[-room:] for ids in prompts]
    width = max(len(ids) for ids in cut)
    input_ids = torch.full((len(cut), width), loaded.pad_token_id, dtype=torch.long)  # (B, T)
    mask = torch.zeros((len(cut), width), dtype=torch.long)
    for at, ids in enumerate(cut):
        input_ids[at, width - len(ids) :] = torch.tensor(ids)
        mask[at, width - len(ids) :] = 1
    model.eval()
    with torch.inference_mode(), compute.autocast():
        output = model.generate(
            input_ids=input_ids.to(compute.device),
            attention_mask=mask.to(compute.device),
            max_new_tokens=max(1, min(max_new_tokens, positions - width)),
            min_new_tokens=min_new_tokens,
            do_sample=False,
            use_cache=True,
            eos_token_id=list(stop),
            pad_token_id=loaded.pad_token_id,
            stopping_criteria=[OnToken(on_token)],
        )
    answers = []
    for row in output[:, width:].tolist():
        end = next((at for at, token in enumerate(row) if token in stop), len(row) - 1)
        answers.append(row[: end + 1])
    return answers


def append(path: Path, answers: Sequence[Answer]) -> None:
    """Add answers to the file and flush them to disk: they cost minutes."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        for answer in answers:
            file.write(json.dumps(answer.model_dump(), ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def mend_torn_line(path: Path) -> None:
    """Cut off a last line that a killed process left unfinished."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        with path.open("rb+") as file:
            file.truncate(len(whole))
