"""The CPU meter: peak resident memory of this process, on Linux, Windows and macOS."""

import gc
import importlib
import sys
from pathlib import Path
from typing import Any

import psutil

from autotune.memory.port import MemoryReading


class CpuMemory:
    """Resident memory of the process. A CPU has no cap of its own; the parent holds the limit."""

    def begin(self, limit_bytes: int) -> None:
        """Nothing to cap: the peak counts from the start of the process."""

    def read(self) -> MemoryReading:
        """Peak and present resident memory."""
        return MemoryReading(peak_resident_bytes(), psutil.Process().memory_info().rss, 0)

    def release(self) -> None:
        """Collect what nothing refers to any more."""
        gc.collect()


def peak_resident_bytes() -> int:
    """The most memory this process ever held resident, in bytes.

    Linux: `VmHWM`, which begins anew at exec; `ru_maxrss` there would inherit the parent's peak.
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


def _peak_by_rusage() -> int:
    """`ru_maxrss` in bytes: macOS counts bytes, the other Unixes kibibytes."""
    resource: Any = importlib.import_module("resource")  # a module that Windows does not have
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024
