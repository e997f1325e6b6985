"""The CUDA meter: the allocator capped at the budget, its reserved peak, and the context beside it.

The peak held against the budget is what the card sees of us: memory that the allocator reserved
plus the context (driver, kernels, cuBLAS workspaces) that lives outside the allocator.
"""

import gc

import torch

from autotune.memory.port import MemoryReading


class CudaMemory:
    """One CUDA device as seen by this process."""

    def __init__(self, index: int) -> None:
        self.device = torch.device("cuda", index)
        self.context_bytes = 0

    def begin(self, limit_bytes: int) -> None:
        """Create the context, measure it, cap the allocator at the rest of the limit.

        The context is what disappears from the card's free memory when the first tensor is made.
        Other processes may take memory in the same instant, so the figure is floored at zero.
        """
        free_before, total = torch.cuda.mem_get_info(self.device)
        torch.zeros(1, device=self.device)
        torch.cuda.synchronize(self.device)
        free_after, _ = torch.cuda.mem_get_info(self.device)
        reserved = torch.cuda.memory_reserved(self.device)
        self.context_bytes = max(0, free_before - free_after - reserved)
        usable = max(0, limit_bytes - self.context_bytes)
        torch.cuda.set_per_process_memory_fraction(min(1.0, usable / total), self.device)
        torch.cuda.reset_peak_memory_stats(self.device)

    def read(self) -> MemoryReading:
        """Reserved peak plus context, allocated peak, and the allocator's retries."""
        torch.cuda.synchronize(self.device)
        stats = torch.cuda.memory_stats(self.device)
        return MemoryReading(
            peak_bytes=int(stats.get("reserved_bytes.all.peak", 0)) + self.context_bytes,
            allocated_bytes=int(stats.get("allocated_bytes.all.peak", 0)),
            retries=int(stats.get("num_alloc_retries", 0)),
        )

    def release(self) -> None:
        """Collect, then hand the allocator's cache back to the card."""
        gc.collect()
        torch.cuda.empty_cache()
