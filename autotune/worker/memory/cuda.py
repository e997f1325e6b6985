"""The CUDA meter: the allocator capped at the budget, its reserved peak, and the context beside it.

The peak held against the budget is what the card sees of us: memory that the allocator reserved
plus the context (driver, kernels, cuBLAS) that lives outside the allocator.
"""

import gc
from collections.abc import Callable
from typing import Any

import torch

from autotune.device.nvml import Nvml
from autotune.device.nvml_port import NvmlPort
from autotune.protocol.job import DeviceSpec
from autotune.worker.memory.base import MemoryReading, OpenedDevice
from autotune.worker.memory.context import ContextMeter
from autotune.worker.memory.windows import shared_usage_bytes


def open_card(spec: DeviceSpec) -> OpenedDevice:
    """The card with torch's index `spec.index`, ready for a job and capped at its limit."""
    from autotune.worker.warmup import warm_up

    device = torch.device("cuda", spec.index)
    memory = CudaMemory(spec.index, warm_up=lambda: warm_up(device, spec.precision))
    memory.begin(spec.limit_bytes)  # first of all: it measures what creating a context takes
    name = torch.cuda.get_device_name(device)
    if expandable_segments():
        name += ", expandable segments"  # somebody's own setting, which changes what fits
    return OpenedDevice(device, memory, name)


class CudaMemory:
    """One CUDA device as seen by this process."""

    def __init__(
        self,
        index: int,
        nvml: NvmlPort | None = None,
        warm_up: Callable[[], None] | None = None,
    ) -> None:
        """`index` counts as torch does. `warm_up` runs the kernels that a step will need.

        `nvml` None is this machine's driver. Nothing is asked of it or of torch yet.
        """
        self.device = torch.device("cuda", index)
        self.warm_up = warm_up if warm_up is not None else self._one_product
        self.context = ContextMeter(nvml if nvml is not None else Nvml())
        self.limit_bytes = 0
        self._shared_at_begin: int | None = None
        self._retries_before = 0
        self._looked_at: int | None = None
        self._device_bytes: int | None = None
        self._shared_bytes: int | None = None

    @property
    def context_bytes(self) -> int:
        """What this process takes outside the allocator, as far as it is known by now."""
        return self.context.context_bytes

    def begin(self, limit_bytes: int) -> None:
        """Create the context, warm up, measure both, cap the allocator at the rest of the limit.

        From here on the card is the one that torch takes where none is named.

        The card is looked at before anything else: to ask torch creates the context.
        """
        self.context.snapshot_before()
        # Autocast asks whether the present card knows bf16, and makes a tensor there if it is old.
        torch.cuda.set_device(self.device)
        self.limit_bytes = limit_bytes
        self.warm_up()
        torch.cuda.synchronize(self.device)
        self.release()
        uuid = getattr(torch.cuda.get_device_properties(self.device), "uuid", None)
        self.context.choose_card(None if uuid is None else str(uuid))
        self.context.measure(torch.cuda.memory_reserved(self.device))
        self._cap()
        self._shared_at_begin = shared_usage_bytes()
        self._count_from_here()

    def read(self) -> MemoryReading:
        """Reserved peak plus context, allocated peak, retries, and what the driver reports beside.

        The card's use, ours of the computer's memory and the context have no peak of their own.
        They are looked at whenever our peak has risen, while the allocator still holds all that it
        reserved, and the most is kept. Not oftener: a training reads every step, and asking
        Windows takes time.
        """
        torch.cuda.synchronize(self.device)
        stats = torch.cuda.memory_stats(self.device)
        reserved = int(stats.get("reserved_bytes.all.peak", 0))
        if self._looked_at is None or reserved > self._looked_at:
            self._looked_at = reserved
            if self.context.measure(torch.cuda.memory_reserved(self.device)):
                self._cap()
            self._device_bytes = _most(self._device_bytes, self.context.used_bytes)
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

    def _cap(self) -> None:
        """Let the allocator have what the context leaves of the limit.

        Safe in the middle of a trial: torch holds the cap against what it is about to take from
        the card, and takes nothing back. With less than it holds it first gives up what is free in
        its cache, and reports out of memory only if that is not enough. What it held above the
        new cap until then stays in the peak, which the verdict sees.
        """
        usable = max(0, self.limit_bytes - self.context_bytes)
        total = torch.cuda.get_device_properties(self.device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, usable / total), self.device)

    def _one_product(self) -> None:
        """The least that makes a context and the handle of cuBLAS."""
        square = torch.ones((64, 64), device=self.device)
        torch.mm(square, square)

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
