"""The engine `batches`: transformers' `generate`, a batch after the other.

For models that can do no better. A batch is as slow as its longest answer.

For models that cannot answer by rows, and what those that can are held against.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria

from autotune.worker.compute import Compute
from autotune.worker.finite import demand_finite
from autotune.worker.generate.chooser import Chooser
from autotune.worker.generate.choosers import chooser_for
from autotune.worker.generate.draws import Place
from autotune.worker.generate.reply import GenerationSettings, Reply, never, nothing
from autotune.worker.model import Loaded


class BatchesEngine:
    """Answers a batch of prompts of like length to its end, then the next.

    No answer is seen before its batch is finished, so none is left when it is decided; `on_step`
    is called after every token of a batch.
    """

    def __init__(
        self,
        loaded: Loaded,
        compute: Compute,
        settings: GenerationSettings,
        prompts: Sequence[list[int]],
        done: Callable[[Reply], None],
        *,
        on_step: Callable[[], None] = nothing,
        decided: Callable[[Reply], bool] = never,
        begun: Mapping[int, Sequence[int]] = MappingProxyType({}),
    ) -> None:
        """As `RowsEngine`, but `decided` is not asked and what was `begun` is made again."""
        self.loaded, self.compute, self.settings = loaded, compute, settings
        self.prompts, self.done, self.on_step = prompts, done, on_step
        self.batch_size = settings.batch_size
        self.chooser = None if settings.draws is None else chooser_for(loaded, compute, settings)
        self.answered = 0
        self.new_tokens = 0

    def run(self) -> None:
        """Answer all that wait; after an exception of memory it can be called again."""
        while self.answered < len(self.prompts):
            part = self.next()
            answers = generate_batch(
                self.loaded,
                self.compute,
                self.prompts[part],
                self.settings.max_new_tokens,
                on_token=self.on_step,
                min_new_tokens=self.settings.min_new_tokens,
                draw=None if self.chooser is None else Draw(self.chooser, part.start),
            )
            for number, ids in zip(range(part.start, part.stop), answers, strict=True):
                self.answered += 1
                self.new_tokens += len(ids)
                self.done(self.reply(number, ids))

    def next(self) -> slice:
        """The prompts of the next batch."""
        lengths = [len(ids) for ids in self.prompts[self.answered :]]
        first = batches(lengths, self.batch_size, self.settings.prefill_tokens)[0]
        return slice(self.answered, self.answered + first.stop)

    def reply(self, number: int, ids: list[int]) -> Reply:
        """A finished answer."""
        positions = int(self.loaded.model.config.max_position_embeddings)
        reply = Reply(number, self.prompts[number], self.settings, positions)
        reply.end(ids, self.loaded.stop_ids)
        return reply

    def smaller(self) -> bool:
        """Half the batch that did not fit; False where it was one prompt."""
        part = self.next()
        self.batch_size = (part.stop - part.start) // 2
        return self.batch_size > 0

    def requeue_rows(self) -> None:
        """A batch that was broken off holds nothing, and is answered again."""

    def batch_text(self) -> str:
        """How much is done at a time now, in words."""
        return f"{self.batch_size} at a time"


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


class OnToken(StoppingCriteria):
    """Calls back after every token of a batch; stops nothing."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """One False a row: go on."""
        self.call()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


class OnlyFinite(LogitsProcessor):
    """Refuses logits that are no numbers; changes none."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The logits (B, V) as they are."""
        demand_finite(scores.amax(dim=-1))
        return scores


@dataclass(frozen=True, slots=True)
class Draw:
    """What draws the tokens of a batch whose first prompt has the number `first`."""

    chooser: Chooser
    first: int


class OnlyDrawn(LogitsProcessor):
    """Leaves the token that is drawn as the only possible one, so that greedy decoding takes it."""

    def __init__(self, draw: Draw, prompts: Sequence[list[int]], width: int, stop: Any) -> None:
        """`prompts` are as they are asked, `width` is what they are padded to, `stop` a tensor."""
        self.draw, self.prompts, self.width, self.stop = draw, prompts, width, stop

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Logits (B, V) of 0 and minus infinity."""
        said = input_ids[:, self.width :]
        ended = torch.isin(said, self.stop).any(dim=1).tolist()
        rows = [row for row, over in enumerate(ended) if not over]
        places = [Place(self.draw.first + row, said.shape[1]) for row in rows]
        chooser = self.draw.chooser
        drawn = torch.full_like(scores, float("-inf"))
        for row, place, choice in zip(
            rows, places, chooser.choices(scores[rows], places), strict=True
        ):
            ids = [*self.prompts[row], *said[row].tolist()]
            drawn[row, chooser.exact_choice(ids, place, choice)] = 0.0
        return drawn


def generate_batch(
    loaded: Loaded,
    compute: Compute,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    on_token: Callable[[], None] = lambda: None,
    *,
    min_new_tokens: int = 0,
    draw: Draw | None = None,
    **options: Any,
) -> list[list[int]]:
    """Continuations of B prompts, greedy or drawn, each truncated after its first stop token.

    A prompt too long for the model's positions is truncated on its left, as evaluation harnesses
    do, and an answer ends with the last position. `options` go to `generate`.

    Raises:
        NumericFault: the logits are no numbers.
    """
    model, stop = loaded.model, loaded.stop_ids
    positions = int(model.config.max_position_embeddings)
    room = max(1, positions - max_new_tokens)
    truncated = [ids[-room:] for ids in prompts]
    width = max(len(ids) for ids in truncated)
    input_ids = torch.full((len(truncated), width), loaded.pad_token_id, dtype=torch.long)  # (B, T)
    mask = torch.zeros((len(truncated), width), dtype=torch.long)
    for at, ids in enumerate(truncated):
        input_ids[at, width - len(ids) :] = torch.tensor(ids)
        mask[at, width - len(ids) :] = 1
    processors: list[LogitsProcessor] = [OnlyFinite()]
    if draw is not None:
        ends = torch.tensor(stop, device=compute.device)
        processors.append(OnlyDrawn(draw, truncated, width, ends))
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
            logits_processor=LogitsProcessorList(processors),
            **options,
        )
    answers = []
    for row in output[:, width:].tolist():
        end = next((at for at, token in enumerate(row) if token in stop), len(row) - 1)
        answers.append(row[: end + 1])
    return answers
