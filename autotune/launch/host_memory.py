"""What is left of the computer's memory, or of the part of it that a container may use."""

from pathlib import Path

import psutil

CGROUPS = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)
"""Files below `/sys/fs/cgroup` with a container's limit, its use in bytes and what it is used for:
version 2, then 1."""

SHORT_MEMORY_SHARE = 0.1
"""Share of the memory below which a kill may have been for it. Between two looks, a tenth of a
second, a worker takes at most some hundred MiB; Linux kills when nothing is left."""


def memory_left(root: Path = Path("/sys/fs/cgroup")) -> tuple[int, int]:
    """Bytes that are free to take, and of how many."""
    computer = psutil.virtual_memory()
    left, total = int(computer.available), int(computer.total)
    for limit_file, use_file, stat_file in CGROUPS:
        try:
            limit = int((root / limit_file).read_text(encoding="ascii"))
            used = int((root / use_file).read_text(encoding="ascii")) - _cached(root / stat_file)
        except (OSError, ValueError):  # no such system, or no limit ("max")
            continue
        if limit - used < left:
            left, total = max(0, limit - used), limit
    return left, total


def _cached(stat: Path) -> int:
    """Bytes of files that the kernel holds and gives up before it kills; they count as used."""
    for line in stat.read_text(encoding="ascii").splitlines():
        name, _, count = line.partition(" ")
        if name == "inactive_file":
            return int(count)
    return 0
