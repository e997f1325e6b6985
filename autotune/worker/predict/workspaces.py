"""Bytes that CUDA's kernels and libraries take beside the tensors that an operation gives.

No operation shows them: kernels allocate them inside, and libraries keep theirs for the life of
the process. Letters: B rows, h heads, T tokens a row, d the size of a head.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

aten: Any = torch.ops.aten

WORKSPACE_BYTES = 8_519_680
"""What cuBLAS takes from PyTorch's allocator: `:4096:2:16:8` (KiB and how many of them);
`parseChosenWorkspaceSize` in ATen/cuda/CublasHandlePool.cpp."""

LARGE_WORKSPACE_BYTES = 32 * 2**20
"""The same on the generations of cards in `LARGE_WORKSPACE`."""

LARGE_WORKSPACE = frozenset({9, 10, 12})
"""First numbers of the capabilities where the workspace is large: Hopper and Blackwell."""

THREADS = 2
"""Threads that multiply matrices, the main one and autograd's. cuBLAS has a handle for each, and
each handle a workspace; both live as long as the process. Measured: a whole step on a Tesla T4
holds two (`benchmarks/fit_measured.py`)."""

LT_WORKSPACE_BYTES = 2**20
"""What cuBLASLt takes, a thread, where a linear layer has a bias, which it adds in the same kernel.
Measured: on a Tesla T4 exactly 2 MiB more are held in every phase by a model that has some."""


def library_bytes(capability: tuple[int, int] | None, biased: bool) -> int:
    """What cuBLAS keeps for the life of a process that trains.

    Args:
        capability: of the card, (8, 9) for Ada; None where it is not known: as before Hopper.
        biased: whether some linear layer has a bias.
    """
    large = capability is not None and capability[0] in LARGE_WORKSPACE
    each = LARGE_WORKSPACE_BYTES if large else WORKSPACE_BYTES
    return THREADS * (each + (LT_WORKSPACE_BYTES if biased else 0))


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
