"""The CUDA meter: the allocator capped at the budget, its reserved peak, and the context beside it.

The peak held against the budget is what the card sees of us: memory that the allocator reserved
plus the context (driver, kernels, cuBLAS) that lives outside the allocator.
"""

import gc
from typing import Any

import torch

from autotune.budget import CONTEXT_BYTES
from autotune.memory.port import MemoryReading
from autotune.memory.shared_usage import shared_usage_bytes


class CudaMemory:
    """One CUDA device as seen by this process."""

    def __init__(self, index: int) -> None:
        self.device = torch.device("cuda", index)
        self.context_bytes = 0
        self._shared_at_begin: int | None = None
        self._retries_before = 0
        self._looked_at: int | None = None
        self._device_bytes: int | None = None
        self._shared_bytes: int | None = None

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
            self.context_bytes = CONTEXT_BYTES
        else:
            reserved = torch.cuda.memory_reserved(self.device)
            self.context_bytes = max(0, after - before - reserved)
        usable = max(0, limit_bytes - self.context_bytes)
        total = torch.cuda.get_device_properties(self.device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, usable / total), self.device)
        self._shared_at_begin = shared_usage_bytes()
        self._count_from_here()

    def read(self) -> MemoryReading:
        """Reserved peak plus context, allocated peak, retries, and what the driver tells beside.

        The card's use and ours of the computer's memory have no peak of their own. They are looked
        at whenever our peak has risen, while the allocator still holds all that it reserved, and
        the most is kept. Not oftener: a training reads every step, and asking Windows takes time.
        """
        torch.cuda.synchronize(self.device)
        stats = torch.cuda.memory_stats(self.device)
        reserved = int(stats.get("reserved_bytes.all.peak", 0))
        if self._looked_at is None or reserved > self._looked_at:
            self._looked_at = reserved
            self._device_bytes = _most(self._device_bytes, self._card_used())
            self._shared_bytes = _most(self._shared_bytes, self._shared_growth())
        return MemoryReading(
            peak_bytes=reserved + self.context_bytes,
            allocated_bytes=int(stats.get("allocated_bytes.all.peak", 0)),
            retries=self._retries() - self._retries_before,
            device_bytes=self._device_bytes,
            shared_bytes=self._shared_bytes,
            held_bytes=int(stats.get("allocated_bytes.all.current", 0)),
        )

    def release(self) -> None:
        """Collect, then hand the allocator's cache back to the card."""
        gc.collect()
        torch.cuda.empty_cache()

    def restart(self) -> bool:
        """Empty the cache and count peaks and retries from here; see `MemoryBackend`."""
        torch.cuda.synchronize(self.device)
        self.release()
        self._count_from_here()
        return True

    def _count_from_here(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.device)
        self._retries_before = self._retries()
        self._looked_at = self._device_bytes = self._shared_bytes = None

    def _retries(self) -> int:
        """Retries since the process began: torch counts them on, whatever is reset."""
        return int(torch.cuda.memory_stats(self.device).get("num_alloc_retries", 0))

    def _shared_growth(self) -> int | None:
        now = shared_usage_bytes()
        if now is None or self._shared_at_begin is None:
            return None
        return max(0, now - self._shared_at_begin)

    def _card_used(self) -> int | None:
        """Bytes of the card in use by everybody, or None where NVML is not there to ask."""
        try:
            return int(torch.cuda.device_memory_used(self.device))
        except Exception:  # no NVML library, a driver that does not answer, a card it hides
            return None


def expandable_segments() -> bool | None:
    """Whether the allocator of this process grows its segments, None where it does not say.

    Read back, because what the environment asks for is not always what happens: Windows ignores
    it, and torch 2.9 reads only the older of its two variables.
    """
    try:
        snapshot: Any = torch.cuda.memory._snapshot()
        return bool(snapshot["allocator_settings"]["expandable_segments"])
    except Exception:  # a build without CUDA, or another shape of a private call
        return None


def _most(one: int | None, other: int | None) -> int | None:
    """The larger figure; one that is not known counts for nothing."""
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)
