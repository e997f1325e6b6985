"""What CUDA's libraries keep for the life of a process that trains, beside all tensors."""

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
