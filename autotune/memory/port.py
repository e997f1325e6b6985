"""The memory port: what a trial asks of the device it runs on."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Peaks since the process began (CPU) or since `begin` (CUDA), in bytes.

    `peak_bytes` is held against the budget; `allocated_bytes` is what tensors really needed;
    `retries` counts how often the allocator had to flush its cache to go on.
    """

    peak_bytes: int
    allocated_bytes: int
    retries: int


class MemoryBackend(Protocol):
    """A device's memory. Three questions are enough for a trial."""

    def begin(self, limit_bytes: int) -> None:
        """Cap the process where the device can and start measuring."""
        ...

    def read(self) -> MemoryReading:
        """Peaks so far."""
        ...

    def release(self) -> None:
        """Give cached memory back; call it outside `except`, where no frame holds tensors."""
        ...
