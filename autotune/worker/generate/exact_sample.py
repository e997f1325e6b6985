"""A token of the nucleus, drawn the same whatever else is computed beside it.

What makes the draw is in `nucleus`; here are the logits of N rows over a vocabulary of V.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from autotune.worker.finite import demand_finite
from autotune.worker.generate.chooser import Choice, Chooser, Ranked
from autotune.worker.generate.draws import Draws, Place
from autotune.worker.generate.nucleus import Candidates, Drawn, draw

LOGIT_ERROR = 2e-4
"""How far off the difference of two logits is taken to be: five times the most that was seen
between batches (`MIN_LOGIT_MARGIN`). About so much / temperature of the draws are narrow, and each
of those costs a pass over the whole row, so it is no wider."""

CANDIDATES = (128, 2048)
"""How many of the likeliest tokens are looked at; where the nucleus may be larger, the next number,
and at last all."""

COLDEST = 1e-6
"""The lowest temperature that is computed with. Two fp32 logits that differ at all are a hundred
times as far apart, so below it nothing but the likeliest token is drawn."""

BLOCK = 32
"""Tokens of the vocabulary of which the likeliest is found first. Reading them by blocks takes less
than half the time of torch's `topk` over all."""


class ExactSample(Chooser):
    """Draws from the nucleus; the margin is that of the draw, see `nucleus`."""

    def __init__(self, model: Any, device: torch.device, exact: bool, draws: Draws) -> None:
        """As `Chooser`; `draws` has the chance of every answer."""
        super().__init__(model, device, exact)
        self.draws = draws
        self.temperature = max(draws.sampling.temperature, COLDEST)

    @property
    def min_margin(self) -> float:
        """See `LOGIT_ERROR`."""
        return LOGIT_ERROR

    def ranked(self, logits: Tensor) -> Ranked:
        """The candidates' logits and ids, (N, K), the sum of all shares, (N,), and the logits.

        The shares are unscaled, that of the likeliest token is 1.
        """
        logits = logits.float()
        values, ids = likeliest(logits, CANDIDATES[0])
        best = values.amax(dim=-1, keepdim=True)
        total = ((logits - best).div_(self.temperature)).exp_().sum(dim=-1)
        return values, ids, total, logits

    def read(self, ranked: Ranked, places: Sequence[Place]) -> list[Choice]:
        """Draw for these places."""
        values, ids, total, logits = (part[: len(places)] for part in ranked)
        demand_finite(values.amax(dim=-1))
        words = np.array([self.draws.word(place) for place in places], dtype=np.uint64)
        drawn = self.draw(values, ids, total, words, logits.shape[-1])
        tokens, margins = drawn.tokens, drawn.margins
        left = np.flatnonzero(~drawn.enough)
        for count in (*CANDIDATES[1:], logits.shape[-1]):
            if not len(left):
                break
            few = torch.as_tensor(left, device=logits.device)
            more = self.draw(
                *likeliest(logits[few], count), total[few], words[left], logits.shape[-1]
            )
            tokens[left], margins[left] = more.tokens, more.margins
            left = left[~more.enough]
        return [Choice(*both) for both in zip(tokens.tolist(), margins.tolist(), strict=True)]

    def draw(
        self, values: Tensor, ids: Tensor, total: Tensor, words: Any, vocabulary: int
    ) -> Drawn:
        """Draw from candidates in any order, (N, K)."""
        logits = values.cpu().numpy().astype(np.float64)
        numbers = ids.cpu().numpy()
        order = np.lexsort((numbers, -logits), axis=-1)
        logits = np.take_along_axis(logits, order, axis=1)
        shares = np.exp((logits - logits[:, :1]) / self.temperature)
        candidates = Candidates(
            logits=logits,
            ids=np.take_along_axis(numbers, order, axis=1),
            shares=shares / total.cpu().numpy().astype(np.float64)[:, None],
            whole=logits.shape[1] == vocabulary,
        )
        return draw(
            candidates,
            words,
            temperature=self.temperature,
            top_p=self.draws.sampling.top_p,
            error=LOGIT_ERROR if self.exact else 0.0,
        )


def likeliest(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of (N, V) and their ids, (N, count) each, in no order; at most all.

    The largest are in those blocks whose own largest are the largest, so only these are searched.
    """
    vocabulary = logits.shape[-1]
    if vocabulary <= count * BLOCK:
        values, ids = logits.topk(min(count, vocabulary), dim=-1, sorted=False)
        return values, ids
    if vocabulary % BLOCK:
        logits = pad(logits, (0, -vocabulary % BLOCK), value=float("-inf"))
    blocks = logits.reshape(len(logits), -1, BLOCK)
    best = blocks.amax(dim=-1).topk(count, dim=-1, sorted=False).indices  # (N, count)
    near = blocks.gather(1, best[:, :, None].expand(-1, -1, BLOCK)).flatten(1)
    values, at = near.topk(count, dim=-1, sorted=False)
    return values, best.gather(1, at // BLOCK) * BLOCK + at % BLOCK
