"""Packed micro-batches: conversations end to end in one row, none of them seeing another.

Letters: N tokens of all conversations of a micro-batch together, h heads, d the size of one. Rows
are laid behind each other in one row of N tokens, positions begin again with each, and attention is
computed within each segment only. So there is no padding and no mask of N x N.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from autotune.worker.attention.fusable import attention, narrowed, ungrouped
from autotune.worker.attention.switch import attending, windowed
from autotune.worker.attention.varlen import varlen_attention, varlen_works
from autotune.worker.device_kinds import traits_of
from autotune.worker.tokens.encode import IGNORED, Row

NAME = "packed"
"""The attention's name in transformers' registry. It has no mask function there, so transformers
makes no mask for it."""

WIDENED_SEGMENT_TOKENS = 512
"""On a CPU, bf16 segments up to this many tokens attend in fp32: torch 2.13's backward kernel takes
three times as long in bf16 at 100 tokens, a fifth longer at 340, and less at 1024; see
docs/LOG.md."""


def pack(rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor, list[int]]:
    """Rows end to end: input_ids, labels and position_ids of shape (1, N), and the lengths.

    The first label of each row is taken away: it would be predicted from the row before it.
    """
    input_ids = [token for row in rows for token in row.input_ids]
    labels = [label for row in rows for label in (IGNORED, *row.labels[1:])]
    positions = [at for row in rows for at in range(len(row.input_ids))]
    lengths = [len(row.input_ids) for row in rows]
    return torch.tensor([input_ids]), torch.tensor([labels]), torch.tensor([positions]), lengths


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    segments: Sequence[int],
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each segment.

    Args:
        module: the layer's attention; says whether it is training.
        query: (1, h, N, d); key and value may have fewer heads.
        key: as query.
        value: as query.
        attention_mask: not used; segments take its place.
        scaling: of the products of query and key.
        dropout: of the attention weights.
        segments: the lengths of the conversations, N together.

    Returns:
        (1, N, h, d), as transformers wants it, and no weights.
    """
    dropout = dropout if module.training else 0.0
    # Under autocast rotated queries and keys are wider than values; kernels want one dtype.
    query, key = narrowed(query, value), narrowed(key, value)
    if not dropout and varlen_works(query, key, scaling):
        together = varlen_attention(query, key, value, segments, scaling)
        return together.transpose(1, 2).contiguous(), None
    key, value = ungrouped(query, key), ungrouped(query, value)
    # Split, not sliced: the gradient of a slice is a tensor of all N tokens that is mostly zeros.
    split = (torch.split(states, list(segments), dim=2) for states in (query, key, value))
    parts = [_alone(q, k, v, dropout, scaling) for q, k, v in zip(*split, strict=True)]
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def _alone(
    query: Tensor, key: Tensor, value: Tensor, dropout: float, scaling: float | None
) -> Tensor:
    """Causal attention of one segment."""
    how: dict[str, Any] = {"causal": True, "dropout": dropout, "scale": scaling}
    dtype, device = query.dtype, query.device
    short = dtype is torch.bfloat16 and query.shape[2] <= WIDENED_SEGMENT_TOKENS
    if short and traits_of(device).widens_short_bf16:
        with torch.autocast(device.type, enabled=False):  # it would narrow them again
            return attention(query.float(), key.float(), value.float(), **how).to(dtype)
    return attention(query, key, value, **how)


def packed(model: Any) -> AbstractContextManager[None]:
    """Within, the model attends by segments; activations recomputed in backward do as well."""
    return attending(model, NAME, attend)


@torch.no_grad()
def can_pack(model: Any) -> bool:
    """Whether rows that are packed give the hidden states that they give alone.

    A window of attention does not show on a few tokens, so such models are recognized by their
    configuration; all else (recurrent layers, other ways to attend) is found by trying.
    """
    if windowed(model):
        return False
    rows = [Row([3, 4, 5, 6, 7], [IGNORED] * 5), Row([8, 3, 9], [IGNORED] * 3)]
    input_ids, _, positions, lengths = (
        t.to(model.device) if isinstance(t, Tensor) else t for t in pack(rows)
    )
    was_training = model.training
    model.eval()
    try:
        alone = [
            model.base_model(
                input_ids=torch.tensor([row.input_ids], device=model.device), use_cache=False
            ).last_hidden_state
            for row in rows
        ]
        with packed(model):
            together = model.base_model(
                input_ids=input_ids, position_ids=positions, segments=lengths, use_cache=False
            ).last_hidden_state
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return False
    finally:
        model.train(was_training)
    apart = torch.cat(alone, dim=1)
    return together.shape == apart.shape and torch.allclose(together, apart, rtol=1e-3, atol=1e-4)
