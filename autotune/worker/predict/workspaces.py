"""Bytes that CUDA's kernels take inside, beside the tensors that an operation gives.

What libraries keep for the life of the process: `base/library_memory.py`. Letters: B rows, h heads,
T tokens a row, d the size of a head.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

aten: Any = torch.ops.aten


def scratch_bytes(func: Any, args: Sequence[Any]) -> int:
    """What an operation takes beside its results while it works on a card.

    Softmax's backward kernel multiplies gradient and result first (`softmax_backward_cuda_out` in
    ATen/native/cuda/SoftMax.cu); on a Tesla T4 the peak of a step with T x T tensors is that of
    this product. A softmax that leaves out rows without a number makes the plain one and a mask
    before it chooses (`_safe_softmax` in ATen/native/transformers/attention.cpp).
    """
    if func is aten._softmax_backward_data.default:
        return _bytes(args[0])
    if func is aten._safe_softmax.default:
        return _bytes(args[0]) + int(args[0].numel())
    if func in _FUSED_BACKWARD:
        return fused_backward_bytes(args[1], args[2])
    return 0


def fused_backward_bytes(query: Tensor, key: Tensor) -> int:
    """What the backward kernel of fused attention takes, flash or memory-efficient.

    Flash sums the queries' gradient in fp32, (B, h, T, d) with d rounded up to 32, beside a sum a
    row (B, h, T); where heads share keys, it makes the keys' and the values' gradient per head
    first (`mha_bwd` in flash_api.cpp). The memory-efficient kernel holds the same sums in tiles
    (`workspace_elements_gq` and `delta` in mem_eff_attention/kernel_backward.h).
    """
    rows, heads, tokens, size = query.shape
    sums = rows * heads * tokens * 4 * (-(-size // 32) * 32 + 1)
    shared = key.shape[1] != heads
    return int(sums + (2 * _bytes(query) if shared else 0))


def has_bias(func: Any, args: Sequence[Any]) -> bool:
    """Whether this is a linear layer with a bias."""
    return func is aten.addmm.default and args[0].ndim == 1


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


_FUSED_BACKWARD = frozenset(
    {
        aten._scaled_dot_product_flash_attention_for_cpu_backward.default,
        aten._scaled_dot_product_efficient_attention_backward.default,
    }
)
"""On fake tensors of a CPU its own fused kernel stands for a card's."""
