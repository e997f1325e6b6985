"""Attention in calls that every fused kernel can serve, so that none makes a table of T x T.

Letters: B rows, T tokens a row, S tokens that they look at, h heads that ask, g heads of keys and
values, r = h / g heads that share one of them, d the size of one.

torch takes the first kernel whose rules a call obeys: flash, memory-efficient, and else plain
mathematics, which holds h x T x S numbers several times over. Wheels for Windows have no flash, and
the memory-efficient kernel of most releases has no heads that share keys (`enable_gqa`); see
`can_use_mem_efficient_attention` in torch's sdp_utils.cpp. So on a card nothing here asks for that:
keys and values are repeated for the heads that share them, or those heads stand as more queries of
one. A CPU's fused kernel reads shared heads itself, and faster than repeated ones (docs/LOG.md).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from autotune.worker.device_kinds import TorchTraits, traits_of

NAME = "sdpa"
"""transformers' own name: what it does for models that attend so (masks, caches) stays as it is."""

ALIGNED_SIZE = 8
"""The memory-efficient kernel reads 16 bytes at a time: d is a multiple of 8 numbers of 16 bits
(`minimum_gemm_alignment` in torch's sdp_utils.cpp; 4 of 32 bits)."""

_imagined: ContextVar[str | None] = ContextVar("imagined", default=None)


@contextmanager
def as_on(kind: str) -> Iterator[None]:
    """Within, attend as on this kind of device ("cuda"), wherever the tensors are.

    For tracing a card's step on tensors of a CPU.
    """
    token = _imagined.set(kind)
    try:
        yield
    finally:
        _imagined.reset(token)


def traits_at(tensor: Tensor) -> TorchTraits:
    """The kind of device that the tensor is on, or is taken to be on."""
    return traits_of(_imagined.get() or tensor.device)


def reads_shared_heads(tensor: Tensor) -> bool:
    """Whether the fused kernel of the tensor's device reads heads that share keys."""
    return traits_at(tensor).reads_shared_heads


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """Scaled dot-product attention, (B, h, T, d), computed in the dtype of the values.

    Args:
        query: (B, h, T, d).
        key: (B, g, S, d), and value.
        value: as key.
        mask: True where a query sees a key; what broadcasts to (B, h, T, S). Not with `causal`.
        causal: the query at t sees keys up to t; T is S.
        dropout: of the attention weights.
        scale: of the products of query and key; 1 / sqrt(d) where None.
    """
    query, key = narrowed(query, value), narrowed(key, value)
    size = value.shape[-1]
    key, value = ungrouped(query, key), ungrouped(query, value)
    if not reads_shared_heads(query):
        scale = scale_of(query, scale)
        query, key, value = (aligned(states) for states in (query, key, value))
    answer = nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=causal,
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return answer[..., :size]


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """What transformers' `sdpa` gives, in calls that every fused kernel can serve.

    Args:
        module: the layer's attention.
        query: (B, h, T, d).
        key: (B, g, S, d), and value.
        value: as key.
        attention_mask: what broadcasts to (B, h, T, S), or None.
        scaling: of the products of query and key.
        options: what else a model gives to its attention.

    Returns:
        (B, T, h, d), as transformers wants it, and no weights.
    """
    if reads_shared_heads(query):
        out: tuple[Tensor, None] = _theirs(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return out
    query, key = narrowed(query, value), narrowed(key, value)
    (rows, heads, tokens, _), groups, size = query.shape, key.shape[1], value.shape[-1]
    folds = tokens == 1 < heads // groups and options.get("position_bias") is None
    if folds and (attention_mask is None or attention_mask.shape[1] == 1):
        # The heads that share keys stand as more queries of one, so that nothing is copied. They
        # are one token, which sees all that the mask leaves.
        query = query.reshape(rows, groups, heads // groups, -1)
        options["is_causal"] = False
    else:
        key, value = ungrouped(query, key), ungrouped(query, value)
    scaling = scale_of(query, scaling)
    query, key, value = (aligned(states) for states in (query, key, value))
    # Without `num_key_value_groups` there is nothing for it to share.
    alone: Any = SimpleNamespace(is_causal=getattr(module, "is_causal", True))
    answer, _ = _theirs(alone, query, key, value, attention_mask, scaling=scaling, **options)
    if query.shape[1] != heads:
        answer = answer.transpose(1, 2).reshape(rows, 1, heads, -1)
    return answer[..., :size], None


_theirs: Any = sdpa_attention_forward


def register() -> None:
    """Have every model of this process that attends by torch's fused kernels attend so."""
    registry: Any = AttentionInterface
    registry.register(NAME, attend)


def ungrouped(query: Tensor, states: Tensor) -> Tensor:
    """Keys or values for each head that asks, where the device's kernels want it so."""
    if reads_shared_heads(query):
        return states
    return repeated(states, query.shape[1] // states.shape[1])


def repeated(states: Tensor, repeats: int) -> Tensor:
    """Keys or values once for each head that shares them: (B, g, S, d) to (B, g * repeats, S, d).

    A copy, which the backward pass keeps: of SmolLM2-135M's step without checkpointing it is 45 MiB
    of 944 for 1024 tokens, predicted; with checkpointing nothing.
    """
    if repeats == 1:
        return states
    rows, groups, tokens, size = states.shape
    each = states[:, :, None].expand(rows, groups, repeats, tokens, size)
    return each.reshape(rows, groups * repeats, tokens, size)


def narrowed(states: Tensor, value: Tensor) -> Tensor:
    """Queries or keys in the dtype of the values.

    Under autocast they are rotated in fp32 while values have 16 bits. torch would narrow them
    too, but only after they were repeated.
    """
    return states.to(value.dtype)


def scale_of(query: Tensor, scale: float | None) -> float:
    """The scale of the products of query and key, said before d grows."""
    return float(query.shape[-1] ** -0.5) if scale is None else scale


def aligned(states: Tensor) -> Tensor:
    """The same with zeros behind d up to a multiple of `ALIGNED_SIZE`; they change no product."""
    missing = -states.shape[-1] % ALIGNED_SIZE
    return nn.functional.pad(states, (0, missing)) if missing else states
