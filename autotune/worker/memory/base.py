"""The memory port: what a trial asks of the device it runs on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Peaks in bytes since it was opened or last restarted (on a CPU that cannot: of the process).

    `peak_bytes` is held against the budget; `allocated_bytes` is what tensors really needed;
    `retries` counts how often the allocator had to flush its cache to go on. `device_bytes` is the
    most that all programs together had in use on the device, `shared_bytes` by how much our
    memory of the device that lies in the computer's memory has grown since then (Windows).
    Both are what the readings so far saw, and None where they are unknown.

    `held_bytes` is no peak: what tensors hold at the moment (on a CPU: what is resident).
    """

    peak_bytes: int
    allocated_bytes: int
    retries: int
    device_bytes: int | None = None
    shared_bytes: int | None = None
    held_bytes: int = 0


class MemoryBackend(Protocol):
    """The memory of a device that was opened, and so capped where it can be: it is measured."""

    def read(self) -> MemoryReading:
        """Peaks so far."""
        ...

    def release(self) -> None:
        """Give cached memory back; call it outside `except`, where no frame holds tensors."""
        ...

    def restart(self) -> bool:
        """Forget the peaks so far and measure again, for the next trial of the same process.

        What nothing uses is given back first; the cap and the context stay as they are.
        Returns False where the device cannot forget: its peak stays the most since the process
        began, so the figures of a further trial are bounds from above, and a trial whose own peak
        must be known needs a fresh process.
        """
        ...


@dataclass(frozen=True, slots=True)
class OpenedDevice:
    """A device that is ready for a job: its memory is being measured; `name` is for people."""

    device: "torch.device"
    memory: MemoryBackend
    name: str
