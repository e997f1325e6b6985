"""The engine `graphed`: answers by rows in passes of one shape, which a card replays as a graph.

Letters: R rows of a pass, C positions that there is room for.

A pass that adds a word to each row starts some thousand kernels, each of them short, and a card
waits for the program that starts them. Recorded once as a CUDA graph, they are started together.
For that every tensor must stay where it is and keep its shape: R is a power of two, C doubles when
a row outgrows it, and both seldom change.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from autotune.worker.compute import sent
from autotune.worker.device_kinds import traits_of
from autotune.worker.generate.chooser import Ranked
from autotune.worker.generate.kv_cache import RowCache
from autotune.worker.generate.rows import RowsEngine

MIN_POSITIONS = 512
"""Positions that there is room for at first: a prompt and the begin of its answer."""


class SteadyCache(RowCache):
    """A row cache whose room doubles, so that it seldom moves."""

    def __init__(self, rows: int) -> None:
        """Room for so many rows; it is taken at the first step."""
        super().__init__(rows)
        self._reach = MIN_POSITIONS

    def reach(self) -> int:
        """Positions that a row needs room for, C; it never shrinks."""
        while self._reach < max(self.lengths, default=0):
            self._reach *= 2
        return self._reach


class DecodePass:
    """A pass over one token of each of R rows: what `Step` holds of a pass, in tensors that stay.

    Rows beyond those that are answered read a token at their first place, where nobody looks.
    """

    widest = 1

    def __init__(self, cache: RowCache, rows: int, device: torch.device) -> None:
        """For the first R rows of the cache."""
        self.cache = cache
        self.parts = range(rows)
        self.rows = torch.arange(rows, device=device)  # (R,)
        self.offsets = torch.zeros(rows, dtype=torch.long, device=device)  # (R,)
        self.given = torch.zeros((2, rows), dtype=torch.long, device=device)
        self.tokens, self.places = self.given[:1], self.given[1]  # (1, R), (R,)
        self.positions = torch.arange(cache.reach(), device=device)  # (C,)
        self.mask: Tensor | None = None

    def set(self, tokens: Sequence[int], places: Sequence[int]) -> None:
        """The next token of each row that is answered, and its place."""
        spare = [0] * (len(self.parts) - len(tokens))
        both = torch.tensor([[*tokens, *spare], [*places, *spare]])
        self.given.copy_(sent(both, self.given.device))

    def look(self) -> None:
        """Make the mask of what each token sees, (R, 1, 1, C), from the places."""
        self.mask = (self.positions <= self.places[:, None])[:, None, None]


@cache
def side_stream(device: torch.device) -> Any:
    """The stream on which passes are recorded, one for the process.

    cuBLAS keeps a workspace of 8 MiB (Hopper: 32) for every stream that it has worked on, for good
    (`getCurrentCUDABlasHandle` in ATen/cuda/CublasHandlePool.cpp).
    """
    stream: Any = torch.cuda.Stream
    return stream(device)


class Recorded:
    """A function of tensors that stay where they are; on a card it is recorded and replayed."""

    def __init__(self, call: Callable[[], Ranked], device: torch.device):
        """On a card the function is called once before it is recorded.

        What is made at first use (libraries' workspaces, under autocast the weights in 16 bits,
        room in the cache) is made then, and stays while the graph is used.
        """
        self.call = call
        self.graph: Any = None
        if not traits_of(device).records_passes:
            return
        now, beside = torch.cuda.current_stream(device), side_stream(device)
        beside.wait_stream(now)
        with torch.cuda.stream(beside):
            call()
        now.wait_stream(beside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=beside):
            self.result = call()

    def __call__(self) -> Ranked:
        """The function's results; a graph's are overwritten by its next call."""
        if self.graph is None:
            return self.call()
        self.graph.replay()
        return self.result


class GraphedEngine(RowsEngine):
    """`RowsEngine` without guesses, where every word is a pass of the same shape.

    Prompts are read as there. On a CPU nothing is recorded, and the same passes are made one by
    one: texts are the same, and slower than with guesses. A row takes up to twice the room, since
    C doubles; the probe's trials do not try that.
    """

    def run(self) -> None:
        """Answer all that wait; after an exception of memory it can be called again."""
        self.passes: dict[tuple[int, int], tuple[DecodePass, Recorded]] = {}
        try:
            super().run()
        finally:
            # Graphs hold the cache, and what autocast has cast, which ends here.
            self.passes = {}

    def new_cache(self, rows: int) -> RowCache:
        """An empty cache for so many rows."""
        return SteadyCache(rows)

    def decode(self) -> None:
        """One token for every row."""
        cache = self.cache
        assert cache is not None
        places = list(cache.lengths)
        cache.lengths = [length + 1 for length in places]
        ranked = self.recorded([row.ids[-1] for row in self.rows], places)()
        choices = self.chooser.read(ranked, [row.place for row in self.rows])
        for row, choice in zip(self.rows, choices, strict=True):
            self.accept(row, [], [choice])

    def recorded(self, tokens: Sequence[int], places: Sequence[int]) -> Recorded:
        """The pass that is wide and long enough, with these tokens at these places set."""
        cache = self.cache
        assert cache is not None
        rows = min(cache.most_rows, 1 << (len(tokens) - 1).bit_length())
        key = rows, cache.reach()
        if key not in self.passes:
            # The room has moved or will: nothing that was recorded in it is right any more.
            self.passes = {k: kept for k, kept in self.passes.items() if k[1] == key[1]}
            decode_pass = DecodePass(cache, rows, self.compute.device)
            decode_pass.set(tokens, places)
            self.passes[key] = (
                decode_pass,
                Recorded(lambda: self.run_pass(decode_pass), self.compute.device),
            )
        decode_pass, made = self.passes[key]
        decode_pass.set(tokens, places)
        return made

    def run_pass(self, decode_pass: DecodePass) -> Ranked:
        """What the next token of each of R rows is chosen by; waits for nothing."""
        decode_pass.look()
        model: Any = self.loaded.model
        out = model(
            input_ids=decode_pass.tokens,
            position_ids=decode_pass.places[None],
            step=decode_pass,
            use_cache=False,
        )
        return self.chooser.ranked(out.logits[0])
