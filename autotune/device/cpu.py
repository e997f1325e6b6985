"""This machine's processor: its name, how busy it is, whether it has bf16 or runs on a battery."""

import platform
from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
"""Linux's names of the instructions that multiply bf16 matrices. A processor without them is tens
of times slower in 16 bits than in fp32; with avx512_bf16 it is twice as fast (docs/LOG.md)."""


def processor_name() -> str:
    """The processor's name as the system gives it; Linux keeps it in a file of its own."""
    return _field("model name") or platform.processor() or platform.machine() or "CPU"


def has_bf16() -> bool:
    """Whether the processor has bf16 instructions. Only Linux reports it; else it counts as no."""
    return not set(_field("flags").split()).isdisjoint(BF16_INSTRUCTIONS)


def _field(name: str) -> str:
    """The first value of a key of Linux's list of processors, empty where there is none."""
    try:
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name and value.strip():
                return value.strip()
    except (OSError, UnicodeDecodeError):
        pass
    return ""


BUSY_LOAD = 1.5
"""Programs a core, above which other work counts as slowing what is timed: this one is among them,
and up to one a core each has a core of its own."""


def busy_load() -> float | None:
    """How many programs a core wanted to compute in the last minute, where that is many.

    None where it is not, and where the system does not say. Windows does not count it; psutil does
    there, from its first question on, and has nothing to say the first time.
    """
    import psutil

    try:
        load = psutil.getloadavg()[0] / (psutil.cpu_count() or 1)
    except (OSError, AttributeError):
        return None
    return load if load > BUSY_LOAD else None


def on_battery(library: Any = None) -> bool | None:
    """True on battery, False on mains, None where there is no battery or the system does not say.

    `library` stands for `psutil`. It has no such function on some systems, and on others reads
    files that may be missing or hold nonsense; none of that is worth more than an "unknown".
    """
    if library is None:
        import psutil

        library = psutil
    try:
        battery = library.sensors_battery()
    except Exception:  # whatever a system's files or a missing function give
        return None
    plugged = None if battery is None else battery.power_plugged
    return None if plugged is None else not plugged
