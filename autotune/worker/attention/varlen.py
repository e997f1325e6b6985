"""Attention over packed rows in one kernel, where this torch and this card have one.

Letters: N tokens of all segments together, h heads that ask, g heads of keys and values, d the size
of one. torch's variable-length attention is flash attention: it computes in 16 bits on a card and
is compiled in not everywhere (Windows builds lack it). So it is tried once at the model's own
heads, scale and dtype, and used where that gives what the plain way gives.
"""

import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from autotune.worker.attention.fusable import attention, repeated
from autotune.worker.compute import sent
from autotune.worker.device_kinds import traits_of

_DTYPES = (torch.float16, torch.bfloat16)

TRIED_LENGTHS = (131, 5)
"""Segments that it is tried on: one ends in its kernel's second tile of up to 128 tokens."""


def varlen_works(query: Tensor, key: Tensor, scale: float | None) -> bool:
    """Whether the kernel is there for such heads and right, forward and backward.

    Args:
        query: (1, h, N, d), in the dtype that is computed in.
        key: (1, g, N, d).
        scale: of the products of query and key.
    """
    heads = (query.shape[1], key.shape[1], query.shape[-1])
    may = traits_of(query.device).has_varlen and query.dtype in _DTYPES
    return may and _works(query.device, query.dtype, heads, scale)


@cache
def _works(
    device: torch.device, dtype: torch.dtype, heads: tuple[int, int, int], scale: float | None
) -> bool:
    """The first layer of the first step asks, amid a forward pass, so a thread of its own tries.

    What surrounds the pass is the thread's that makes it: the hooks by which gradient checkpointing
    counts what a layer keeps (it refuses a second pass that keeps less), autocast, a watch of the
    dispatcher.
    """
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(_tried, device, dtype, heads, scale).result()


def _tried(
    device: torch.device, dtype: torch.dtype, heads: tuple[int, int, int], scale: float | None
) -> bool:
    asking, groups, size = heads
    numbers = torch.Generator(device).manual_seed(0)
    given = [
        torch.randn(
            (1, of_kind, sum(TRIED_LENGTHS), size), generator=numbers, device=device, dtype=dtype
        )
        for of_kind in (asking, groups, groups)
    ]
    try:
        ours, plain = (
            _with_gradients(way, TRIED_LENGTHS, given, scale)
            for way in (varlen_attention, _one_by_one)
        )
        return all(near(a.float(), b.float()) for a, b in zip(ours, plain, strict=True))
    except Exception:  # another signature, a build without the kernel, a card it does not know
        return False


def near(ours: Tensor, plain: Tensor) -> bool:
    """Whether two results are one but for rounding.

    As a whole and not number by number: bf16 keeps 8 bits, so a number of 4 may be off by 0.016,
    while all together are off by half a percent. Segments that see each other are off by more
    than forty.
    """
    return bool((ours - plain).norm() <= 0.02 * plain.norm())


def varlen_attention(
    query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int], scale: float | None = None
) -> Tensor:
    """Causal attention within each segment, (1, h, N, d); key and value may have fewer heads."""
    from torch.nn.attention import varlen

    attend: Any = varlen.varlen_attn
    takes = parameters(attend)
    how: dict[str, Any] = {"scale": scale}
    # Causal by a window that reaches back without end; before torch 2.11 it had a word of its own.
    how |= {"window_size": (-1, 0)} if "window_size" in takes else {"is_causal": True}
    if query.shape[1] != key.shape[1]:
        if "enable_gqa" in takes:
            how["enable_gqa"] = True
        else:  # torch 2.11
            repeats = query.shape[1] // key.shape[1]
            key, value = repeated(key, repeats), repeated(value, repeats)
    ends = boundaries(tuple(lengths), query.device)
    longest = max(lengths)
    out: Any = attend(
        *(states[0].transpose(0, 1).contiguous() for states in (query, key, value)),  # (N, h, d)
        ends,
        ends,
        longest,
        longest,
        **how,
    )
    answer: Tensor = out.transpose(0, 1)[None]
    return answer


@cache
def parameters(function: Callable[..., Any]) -> frozenset[str]:
    """The names that a function takes; torch's variable-length attention changes them."""
    return frozenset(inspect.signature(function).parameters)


@lru_cache(maxsize=1)
def boundaries(lengths: tuple[int, ...], device: torch.device) -> Tensor:
    """Where segments begin and the last one ends, (segments + 1,) int32 on the device.

    Kept until others are asked for: all layers of a micro-batch want the same.
    """
    return sent(torch.tensor([0, *accumulate(lengths)], dtype=torch.int32), device)


def _one_by_one(
    query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int], scale: float | None
) -> Tensor:
    parts = zip(*(torch.split(s, list(lengths), dim=2) for s in (query, key, value)), strict=True)
    return torch.cat([attention(q, k, v, causal=True, scale=scale) for q, k, v in parts], dim=2)


def _with_gradients(
    way: Any, lengths: Sequence[int], given: Sequence[Tensor], scale: float | None
) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in given]
    out = way(*leaves, lengths, scale)
    return [out, *torch.autograd.grad(out.float().square().sum(), leaves)]
