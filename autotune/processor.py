"""What this machine's processor is called, and whether it computes in bf16."""

import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
"""Linux's names of the instructions that multiply bf16 matrices. A processor without them is tens
of times slower in 16 bits than in fp32; with avx512_bf16 it is twice as fast (docs/LOG.md)."""


def processor_name() -> str:
    """The processor's name as the system gives it; Linux keeps it in a file of its own."""
    return _field("model name") or platform.processor() or platform.machine() or "CPU"


def has_bf16() -> bool:
    """Whether the processor has bf16 instructions. Only Linux tells; elsewhere it counts as no."""
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
