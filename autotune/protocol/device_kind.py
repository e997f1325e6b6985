"""The kinds of devices, named once, and what both processes must know of them.

A further kind, such as Apple's `mps` or Intel's `xpu`, is:

1. a meter in `autotune/worker/memory/`, with a function that opens the device for a job;
2. its name here, among `OWN_MEMORY` if it has some, and `CAPPED` if its allocator keeps to a limit;
3. an entry in `autotune/device/kinds.py`, for what decides, and one in
   `autotune/worker/device_kinds.py`, for what computes (`mypy` and a test miss one that is absent);
4. how it is found on a machine: `autotune/device/find.py`.

AMD's cards are `cuda` to torch as well: a build for ROCm takes the same names. What differs there
is the meter and what asks the driver.
"""

from typing import Literal

DeviceKind = Literal["cuda", "cpu"]
"""As torch spells the type of a device."""

DEVICE_RULE = "must be auto, cuda, cuda:N or cpu"
"""What names a device, on the command line and in a profile."""

OWN_MEMORY: frozenset[str] = frozenset({"cuda"})
"""Kinds with memory of their own beside the computer's, so that there are two to run out of."""


CAPPED: frozenset[str] = frozenset({"cuda"})
"""Kinds whose allocator keeps to a limit; on another the parent ends a process that outgrows it."""


def has_own_memory(kind: str) -> bool:
    """Whether a device of this kind computes in memory that is not the computer's."""
    return kind in OWN_MEMORY
