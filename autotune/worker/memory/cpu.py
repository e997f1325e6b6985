"""The CPU meter: peak resident memory of this process, on Linux, Windows and macOS."""

import ctypes
import gc
import importlib
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from autotune.base.format import counted
from autotune.base.sizes import MIB
from autotune.protocol.job import DeviceSpec
from autotune.worker.memory.base import MemoryReading, OpenedDevice

_SLACK_BYTES = 16 * MIB
"""How far a peak that was just set back may stand above what is resident. Linux counts pages per
core in batches, and this process may allocate between the two readings."""


def open_cpu(_: DeviceSpec) -> OpenedDevice:
    """This computer's processor, ready for a job.

    Deterministic algorithms are asked for: here they cost nothing and make a resumed run equal to
    an undisturbed one bit for bit.
    """
    import torch

    torch.use_deterministic_algorithms(True)
    # It would also fill every new tensor with NaN to show reads of unset memory: a tenth of the
    # time of a step, and no part of the result.
    deterministic: Any = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = False
    threads = counted(torch.get_num_threads(), "thread")
    return OpenedDevice(torch.device("cpu"), CpuMemory(), f"CPU, {threads}")


class CpuMemory:
    """Resident memory of the process since its start. It has no cap; the parent holds the limit."""

    def read(self) -> MemoryReading:
        """Peak and present resident memory."""
        resident = _resident_bytes()
        return MemoryReading(peak_resident_bytes(), resident, 0, held_bytes=resident)

    def release(self) -> None:
        """Collect what nothing refers to any more."""
        gc.collect()

    def restart(self) -> bool:
        """Give back what is free and set the peak back to what is resident; see `MemoryBackend`.

        Only Linux can, by `clear_refs` (proc(5), value 5). Windows has no call that lowers the
        peak of a working set, and `ru_maxrss` of macOS only rises; both answer False.
        """
        gc.collect()
        return _forget_peak() if sys.platform == "linux" else False


def peak_resident_bytes() -> int:
    """The most memory this process held resident, in bytes, since its start or its last restart.

    Linux: `VmHWM`, which starts again at exec; `ru_maxrss` there would inherit the parent's peak.
    Windows: the peak working set. macOS: `ru_maxrss`, in bytes.
    """
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return int(info.peak_wset)
    return _peak_by_rusage() if sys.platform != "win32" else int(info.rss)


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def _forget_peak() -> bool:
    """Set Linux's peak back to what is resident; False where the kernel does not let us.

    The C library keeps freed blocks for later. They would count as used by the next trial, so
    glibc is asked to give them up; other C libraries have no such call.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    # Looked at, because a sandbox may take the write and do nothing.
    return peak_resident_bytes() <= _resident_bytes() + _SLACK_BYTES


def _peak_by_rusage() -> int:
    """`ru_maxrss` in bytes: macOS counts bytes, the other Unixes kibibytes."""
    resource: Any = importlib.import_module("resource")  # a module that Windows does not have
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024
