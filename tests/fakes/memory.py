"""A memory that answers from a script: for tests of what a trial makes of its readings."""

from collections.abc import Callable
from dataclasses import dataclass, field

from autotune.worker.memory.base import MemoryReading


@dataclass
class FakeMemory:
    """Reads what `reading` returns for the number of reads so far, starting at 0.

    `forgets` is what `restart` answers: whether this memory can measure a peak anew.
    """

    reading: Callable[[int], MemoryReading]
    released: int = 0
    reads: int = field(default=0)
    restarted: int = 0
    forgets: bool = True

    def read(self) -> MemoryReading:
        """The scripted reading."""
        self.reads += 1
        return self.reading(self.reads - 1)

    def release(self) -> None:
        """Count the call."""
        self.released += 1

    def restart(self) -> bool:
        """Count the call."""
        self.restarted += 1
        return self.forgets
