"""The engine `batches`: transformers' `generate`, a batch after the other.

For models that can do no better. A batch is as slow as its longest answer.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from autotune.worker.compute import Compute
from autotune.worker.model import Loaded
from autotune.worker.plain import batches, generate_batch
from autotune.worker.reply import Reply, Settings, never, nothing


class Batchwise:
    """Answers a batch of prompts of like length to its end, then the next.

    No answer is seen before its batch is finished, so none is left when it is decided; `on_step`
    is called after every token of a batch.
    """

    def __init__(
        self,
        loaded: Loaded,
        compute: Compute,
        settings: Settings,
        prompts: Sequence[list[int]],
        done: Callable[[Reply], None],
        *,
        on_step: Callable[[], None] = nothing,
        decided: Callable[[Reply], bool] = never,
        begun: Mapping[int, Sequence[int]] = MappingProxyType({}),
    ) -> None:
        """As `Answering`, but `decided` is not asked and what was `begun` is made again."""
        self.loaded, self.compute, self.settings = loaded, compute, settings
        self.prompts, self.done, self.on_step = prompts, done, on_step
        self.batch_size = settings.batch_size
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

    def give_up_rows(self) -> None:
        """A batch that was broken off holds nothing, and is answered again."""

    def at_once(self) -> str:
        """How much is done at a time now, in words."""
        return f"{self.batch_size} at a time"
