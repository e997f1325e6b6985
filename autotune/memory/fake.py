"""A memory that answers from a script: for tests of what a trial makes of its readings."""

from collections.abc import Callable
from dataclasses import dataclass, field

from autotune.memory.port import MemoryReading


@dataclass
class FakeMemory:
    """Reads what `reading` returns for the number of reads so far, starting at 0."""

    reading: Callable[[int], MemoryReading]
    limit_bytes: int | None = None
    released: int = 0
    reads: int = field(default=0)

    def begin(self, limit_bytes: int) -> None:
        """Remember the limit."""
        self.limit_bytes = limit_bytes

    def read(self) -> MemoryReading:
        """The scripted reading."""
        self.reads += 1
        return self.reading(self.reads - 1)

    def release(self) -> None:
        """Count the call."""
        self.released += 1
