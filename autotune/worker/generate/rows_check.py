"""Whether a model can answer by rows: found by trying, since architectures differ in many ways."""

from typing import Any

import torch
from torch import Tensor

from autotune.worker.attention.switch import windowed
from autotune.worker.generate.kv_cache import RowCache, Step, by_rows

FIRST = [[3, 4, 5, 6, 7], [8, 3, 9]]
SECOND = [[5, 4], [6]]
"""Tokens of two rows: read first, and then behind that."""

TOLERANCE = 1e-3
"""Of the largest logit. Rounding alone makes 5e-5 with SmolLM2-135M on these tokens, which no text
has together; attention that misses a token makes half of it."""


@torch.no_grad()
def can_answer_by_rows(model: Any) -> bool:
    """Whether tokens of several rows in one pass give the logits that whole rows give alone.

    A window of attention does not show on a few tokens, so such models are recognized by
    their configuration; all else (recurrent layers, other ways to attend) is found by trying.
    """
    if windowed(model):
        return False
    was_training = model.training
    model.eval()
    try:
        alone = [
            model(torch.tensor([first + second], device=model.device), use_cache=False).logits[0]
            for first, second in zip(FIRST, SECOND, strict=True)
        ]
        cache = RowCache(len(FIRST))
        for _ in FIRST:
            cache.add()
        with by_rows(model):
            whole = [_logits(model, cache, part) for part in (FIRST, SECOND)]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError):
        return False
    finally:
        model.train(was_training)
    for row, expected in enumerate(alone):
        found = torch.cat([part[row] for part in whole])
        if found.shape != expected.shape:
            return False
        if (found - expected).abs().max() > TOLERANCE * expected.abs().max():
            return False
    return True


def _logits(model: Any, cache: RowCache, rows: list[list[int]]) -> tuple[Tensor, ...]:
    """All logits of each row's tokens, (count, vocabulary)."""
    counts = [len(ids) for ids in rows]
    step = Step(cache, counts, model.device)
    out = model(
        input_ids=torch.tensor([[token for ids in rows for token in ids]], device=model.device),
        position_ids=step.places[None],
        step=step,
        use_cache=False,
        logits_to_keep=torch.arange(sum(counts), device=model.device),
    )
    logits: Tensor = out.logits[0]
    return torch.split(logits, counts)
