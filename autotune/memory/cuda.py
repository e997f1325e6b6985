"""The CUDA meter: the allocator capped at the budget, its reserved peak, and the context beside it.

The peak held against the budget is what the card sees of us: memory that the allocator reserved
plus the context (driver, kernels, cuBLAS) that lives outside the allocator.
"""

import gc

import torch

from autotune.budget import MIB
from autotune.memory.port import MemoryReading

ASSUMED_CONTEXT_BYTES = 500 * MIB
"""The context where NVML cannot tell: the upper end of what CUDA 12 takes on consumer cards."""


class CudaMemory:
    """One CUDA device as seen by this process."""

    def __init__(self, index: int) -> None:
        self.device = torch.device("cuda", index)
        self.context_bytes = 0

    def begin(self, limit_bytes: int) -> None:
        """Create the context, measure it, cap the allocator at the rest of the limit.

        The context is what the card has more in use once the first product is computed. That is
        asked of NVML, because asking CUDA would itself create the context. Other processes may
        free memory in the same instant, so the figure is floored at zero.
        """
        before = self._card_used()
        square = torch.ones((64, 64), device=self.device)
        torch.mm(square, square)
        torch.cuda.synchronize(self.device)
        after = self._card_used()
        if before is None or after is None:
            self.context_bytes = ASSUMED_CONTEXT_BYTES
        else:
            reserved = torch.cuda.memory_reserved(self.device)
            self.context_bytes = max(0, after - before - reserved)
        usable = max(0, limit_bytes - self.context_bytes)
        total = torch.cuda.get_device_properties(self.device).total_memory
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

    def _card_used(self) -> int | None:
        """Bytes of the card in use by everybody, or None where NVML is not there to ask."""
        try:
            return int(torch.cuda.device_memory_used(self.device))
        except Exception:  # no NVML library, a driver that does not answer, a card it hides
            return None
