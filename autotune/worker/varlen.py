"""Attention over packed rows in one kernel, where this torch and this card have one.

Letters: N tokens of all segments together, h heads, d the size of one. torch's variable-length
attention computes in 16 bits on a card and is compiled in not everywhere (Windows builds lack it),
so it is tried once on a few numbers and used where that gives what the plain way gives.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

_DTYPES = (torch.float16, torch.bfloat16)


@cache
def varlen_works(device: torch.device, dtype: torch.dtype, head_size: int) -> bool:
    """Whether the kernel is there and right, forward and backward."""
    if device.type != "cuda" or dtype not in _DTYPES or not torch.cuda.is_available():
        return False
    lengths, shape = (5, 3), (1, 2, 8, head_size)
    numbers = torch.Generator(device).manual_seed(0)
    given = [torch.randn(shape, generator=numbers, device=device, dtype=dtype) for _ in range(3)]
    try:
        with torch.enable_grad():
            ours, plain = (
                _with_gradients(way, lengths, given) for way in (varlen_attention, _one_by_one)
            )
        return all(
            torch.allclose(a.float(), b.float(), atol=2e-2, rtol=2e-2)
            for a, b in zip(ours, plain, strict=True)
        )
    except Exception:  # another signature, a build without the kernel, a card it does not know
        return False


def varlen_attention(
    query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int], scale: float | None = None
) -> Tensor:
    """Causal attention within each segment, (1, h, N, d); key and value may have fewer heads."""
    from torch.nn.attention import varlen

    attend: Any = varlen.varlen_attn
    ends = boundaries(tuple(lengths), query.device)
    longest = max(lengths)
    out: Any = attend(
        *(states[0].transpose(0, 1).contiguous() for states in (query, key, value)),  # (N, h, d)
        ends,
        ends,
        longest,
        longest,
        scale=scale,
        window_size=(-1, 0),  # causal
        enable_gqa=query.shape[1] != key.shape[1],
    )
    answer: Tensor = out.transpose(0, 1)[None]
    return answer


@lru_cache(maxsize=1)
def boundaries(lengths: tuple[int, ...], device: torch.device) -> Tensor:
    """Where segments begin and the last one ends, (segments + 1,) int32 on the device.

    Kept until others are asked for: all layers of a micro-batch want the same.
    """
    return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)


def _one_by_one(query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]) -> Tensor:
    parts = zip(*(torch.split(s, list(lengths), dim=2) for s in (query, key, value)), strict=True)
    return torch.cat(
        [nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True) for q, k, v in parts],
        dim=2,
    )


def _with_gradients(way: Any, lengths: Sequence[int], given: Sequence[Tensor]) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in given]
    out = way(*leaves, lengths)
    return [out, *torch.autograd.grad(out.float().square().sum(), leaves)]
