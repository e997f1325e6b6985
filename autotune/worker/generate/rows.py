"""Continuous batching: the sequences of a batch join, grow and leave it one by one.

One pass of the model reads the new tokens of all rows: one token of each, or a guess at several
(see `prompt_lookup`), of which those are kept that are chosen anyway. A row that is
finished leaves immediately and the next prompt takes its place. The tokens of a row do not depend
on the others: see `chooser`.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from autotune.worker.compute import Compute
from autotune.worker.generate.chooser import Choice
from autotune.worker.generate.choosers import chooser_for
from autotune.worker.generate.draws import Place
from autotune.worker.generate.kv_cache import RowCache, Step, by_rows
from autotune.worker.generate.reply import GenerationSettings, Reply, never, nothing
from autotune.worker.model import Loaded

MAX_GUESSED_TOKENS = 32
"""Tokens of one guess at most."""

STEP_TOKENS = 256
"""Tokens of all rows that a pass may have with guesses. More are read no faster a token, and their
logits take memory."""

MIN_PREFILL_TOKENS = 128
"""Tokens of a prompt in a pass below which less is not tried."""

LOOK_EVERY = 32
"""New tokens of a row after which it may be asked whether its answer is decided."""


class RowsEngine:
    """Answers prompts in order; each is given to `done` as soon as it is finished.

    It is the engine `rows`: see `engine`.
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
        """`decided` is asked after every `LOOK_EVERY` new tokens of a row.

        `begun` has, by number, the first tokens of answers that go on.
        """
        self.loaded = loaded
        self.compute = compute
        self.settings = settings
        self.done = done
        self.on_step = on_step
        self.decided = decided
        self.batch_size = settings.batch_size
        self.prefill_tokens = settings.prefill_tokens
        positions = int(loaded.model.config.max_position_embeddings)
        self.waiting = deque(
            Reply(number, ids, settings, positions, begun.get(number, ()))
            for number, ids in enumerate(prompts)
        )
        self.rows: list[Reply] = []
        self.new_tokens = 0
        self.cache: RowCache | None = None
        self.chooser = chooser_for(loaded, compute, settings)

    def run(self) -> None:
        """Answer all that wait; after an exception of memory it can be called again."""
        self.loaded.model.eval()
        with torch.inference_mode(), self.compute.autocast(), by_rows(self.loaded.model):
            while self.waiting or self.rows:
                self.admit()
                self.step()
                self.leave()
                self.on_step()

    def smaller(self) -> bool:
        """Do less at a time from now on; False where there is no less."""
        if len(self.rows) > 1:
            self.batch_size = len(self.rows) // 2
        elif self.prefill_tokens > MIN_PREFILL_TOKENS:
            self.prefill_tokens //= 2
        else:
            return False
        return True

    def batch_text(self) -> str:
        """How much is done at a time now, in words."""
        return f"{self.batch_size} at a time, {self.prefill_tokens} tokens of prompts"

    def requeue_rows(self) -> None:
        """Forget what is cached; rows keep their tokens and are read again, before the others."""
        for row in self.rows:
            if row.finish is not None:  # by the very pass that was broken off
                self.done(row)
        self.waiting.extendleft(row for row in reversed(self.rows) if row.finish is None)
        self.rows = []
        self.cache = None

    def admit(self) -> None:
        """Let prompts in where there is room."""
        if self.cache is None:
            self.cache = self.new_cache(min(self.batch_size, len(self.waiting)))
        while self.waiting and len(self.rows) < self.cache.most_rows:
            self.rows.append(self.waiting.popleft())
            self.cache.add()

    def skip_reading(self, read_rows: int) -> None:
        """Let all prompts in, and take all but the last token of those from `read_rows` on as read.

        For who measures: the memory and the time of a pass are those of rows that were read.
        """
        self.admit()
        assert self.cache is not None
        for number in range(read_rows, len(self.rows)):
            self.cache.lengths[number] = len(self.rows[number].ids) - 1

    def new_cache(self, rows: int) -> RowCache:
        """An empty cache for so many rows."""
        return RowCache(rows)

    def step(self) -> None:
        """One pass: the prompts that were not read yet, or else what comes next in every row."""
        assert self.cache is not None
        unread = [
            len(row.ids) - length for row, length in zip(self.rows, self.cache.lengths, strict=True)
        ]
        if max(unread) > 1:
            self.go_through(self.read(unread))
        else:
            self.decode()

    def decode(self) -> None:
        """A pass over the last token of every row and a guess at what follows."""
        self.go_through([(row.ids[-1:], self.guess(row)) for row in self.rows])

    def go_through(self, reading: Sequence[tuple[list[int], list[int]]]) -> None:
        """A pass over each row's next tokens and what is guessed behind them."""
        cache = self.cache
        assert cache is not None
        before = list(cache.lengths)
        tokens = [ids + guess for ids, guess in reading]
        step = Step(cache, [len(ids) for ids in tokens], self.compute.device)
        # A row that is read to its end gives the token after its last one and after each guess.
        speaking = [
            (row, guess)
            for row, length, (ids, guess) in zip(self.rows, before, reading, strict=True)
            if ids and length + len(ids) == len(row.ids)
        ]
        kept = [
            at
            for part in step.parts
            for at in range(part.begin, part.begin + part.count)
            if before[part.row] + at - part.begin >= len(self.rows[part.row].ids) - 1
        ]
        logits = self.forward([t for ids in tokens for t in ids], step, kept)
        places = [
            Place(row.number, row.new_tokens + ahead)
            for row, guess in speaking
            for ahead in range(1 + len(guess))
        ]
        choices = self.chooser.choices(logits, places)
        at = 0
        for row, guess in speaking:
            end = at + 1 + len(guess)
            self.accept(row, guess, choices[at:end])
            at = end
        for number, row in enumerate(self.rows):
            # Guesses that were wrong are cached, and written over.
            cache.lengths[number] = min(cache.lengths[number], len(row.ids) - 1)

    def read(self, unread: Sequence[int]) -> list[tuple[list[int], list[int]]]:
        """As much of the prompts as fits a pass; rows that are read already wait."""
        assert self.cache is not None
        room = self.prefill_tokens
        parts: list[tuple[list[int], list[int]]] = []
        for row, length, left in zip(self.rows, self.cache.lengths, unread, strict=True):
            take = min(left, room) if left > 1 or row.new_tokens == 0 else 0
            room -= take
            parts.append((row.ids[length : length + take], []))
        return parts

    def guess(self, row: Reply) -> list[int]:
        """What may come next in a row, as long as an answer can still be."""
        if not self.settings.guessing:
            return []
        share = STEP_TOKENS // len(self.rows) - 1
        return row.prompt_lookup.guess(
            min(share, MAX_GUESSED_TOKENS, row.most - row.new_tokens - 1)
        )

    def forward(self, tokens: list[int], step: Step, kept: list[int]) -> Tensor:
        """Logits at these of the N tokens: (len(kept), vocabulary)."""
        device = self.compute.device
        model: Any = self.loaded.model
        out = model(
            input_ids=torch.tensor([tokens], device=device),
            position_ids=step.places[None],
            step=step,
            use_cache=False,
            logits_to_keep=torch.tensor(kept, device=device, dtype=torch.long),
        )
        logits: Tensor = out.logits[0]
        return logits

    def accept(self, row: Reply, guess: list[int], choices: Sequence[Choice]) -> None:
        """Add the tokens that are chosen, as far as the guess before each was right."""
        right = 0
        for at, choice in enumerate(choices):
            token = self.chooser.exact_choice(row.ids, row.place, choice)
            row.prompt_lookup.add(token)
            self.new_tokens += 1
            if token in self.loaded.stop_ids and row.new_tokens > self.settings.min_new_tokens:
                row.finish = "stop"
            elif row.new_tokens >= row.most:
                row.finish = "length"
            if row.finish is not None or at == len(guess) or guess[at] != token:
                break
            right += 1
        row.prompt_lookup.judge(len(guess), right)

    def leave(self) -> None:
        """Hand over what is finished or decided."""
        assert self.cache is not None
        for number in reversed(range(len(self.rows))):
            row = self.rows[number]
            if row.finish is None and row.new_tokens // LOOK_EVERY > row.looked:
                row.looked = row.new_tokens // LOOK_EVERY
                if self.decided(row):
                    row.finish = "decided"
            if row.finish is not None:
                # Without memory to take the row out, `requeue_rows` hands it over.
                self.cache.remove(number)
                self.rows[number] = self.rows[-1]
                self.rows.pop()
                self.done(row)
