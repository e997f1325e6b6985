"""NEFTune: noise on the embeddings of what is trained on (Jain et al., arXiv 2310.05914).

Letters: L tokens of a row, d the size of an embedding. Each number of a row's embeddings gets noise
from [-1, 1] times alpha / sqrt(L d). The paper's L is the length of the row itself; where an
implementation takes the width of the batch that the row was padded to, the noise depends on the
rows beside it. Here L is the row's own number of tokens, and each row draws by a generator of its
own, seeded by the training's seed, the step and the row's place in the step. So micro-batches,
packing, filling and gradient checkpointing change nothing of it, nor does a resumed training.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autotune.worker.tokens.encode import Row
from autotune.worker.train.optimizer import Optimization
from autotune.worker.train.seeds import seed_of


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a row lies in a micro-batch of (B, T) tokens: its own `tokens`, without filling.

    `place` is the row's place among those of its step, from 0.
    """

    place: int
    at: int
    begin: int
    tokens: int


def segments_of(
    group: Sequence[int], own: Sequence[int], widths: Sequence[int], *, packing: bool
) -> list[Segment]:
    """Where the rows of a micro-batch lie: below each other, or packed behind each other.

    Args:
        group: the rows' places in their step.
        own: how many tokens each has.
        widths: the same with what one of them was filled up with.
        packing: whether all lie in one row.
    """
    begins = [sum(widths[:at]) for at in range(len(widths))] if packing else [0] * len(widths)
    return [
        Segment(place, 0 if packing else at, begin, tokens)
        for at, (place, begin, tokens) in enumerate(zip(group, begins, own, strict=True))
    ]


def noise_within(
    model: Any,
    recipe: Optimization,
    step: int,
    rows: Sequence[Row],
    group: Sequence[int],
    piece: Sequence[Row],
    *,
    packing: bool,
) -> AbstractContextManager[None]:
    """The noise on the embeddings of a micro-batch, where the recipe has any.

    `piece` holds those of the step's `rows` at the places of `group`, one of them filled up.
    """
    alpha = recipe.neftune_noise_alpha
    if not alpha:
        return nullcontext()
    own = [len(rows[at].input_ids) for at in group]
    widths = [len(row.input_ids) for row in piece]
    segments = segments_of(group, own, widths, packing=packing)
    return noisy_embeddings(model, alpha, recipe.seed, step, segments)


@contextmanager
def noisy_embeddings(
    model: Any, alpha: float, seed: int, step: int, segments: Sequence[Segment]
) -> Iterator[None]:
    """Within, the model's input embeddings get the noise of these rows.

    It is added in place and a row at a time, so it takes the memory of one row's embeddings, which
    is free again before the first layer. What it adds is a constant: gradients pass unchanged.
    """

    def add(_module: Any, _inputs: Any, embedded: Tensor) -> None:
        with torch.no_grad():
            for segment in segments:
                end = segment.begin + segment.tokens
                row = embedded[segment.at, segment.begin : end]  # (L, d)
                row += noise_like(row, alpha, seed_of("neftune", seed, step, segment.place))

    handle = model.get_input_embeddings().register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


def noise_like(row: Tensor, alpha: float, seed: int) -> Tensor:
    """The noise of one row of embeddings (L, d), drawn on its device."""
    most = alpha / math.sqrt(row.numel())
    drawn = torch.Generator(device=row.device).manual_seed(seed)
    return torch.empty_like(row).uniform_(-most, most, generator=drawn)
