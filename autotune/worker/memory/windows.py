"""What Windows counts of our GPU memory, by its performance counters: dedicated and shared.

A Windows driver may lend memory of the computer to a card that is full. Nothing is raised; only the
counter "GPU Process Memory, Shared Usage" of the process rises (Windows 10 1709 and later, the
figure that the Task Manager shows). "Dedicated Usage" is what the process holds on cards, which
NVML does not report them there. Both are asked through PDH, Windows' own library for counters.
"""

import ctypes
import os
import sys
from typing import Any

_SHARED = r"\GPU Process Memory(*)\Shared Usage"
_DEDICATED = r"\GPU Process Memory(*)\Dedicated Usage"
"""All processes, each once a card: `pid_1234_luid_0x00000000_0x0000D1F6_phys_0`."""

# Values of pdhmsg.h and pdh.h.
_MORE_DATA = 0x800007D2
_FORMAT_LARGE = 0x00000400  # a 64-bit integer
_VALID = (0, 1)  # PDH_CSTATUS_VALID_DATA, PDH_CSTATUS_NEW_DATA


class _Value(ctypes.Structure):
    """PDH_FMT_COUNTERVALUE; of its union only the 64-bit integer, which is its widest member."""

    _fields_ = (("status", ctypes.c_uint32), ("large", ctypes.c_int64))


class _Item(ctypes.Structure):
    """PDH_FMT_COUNTERVALUE_ITEM_W."""

    _fields_ = (("name", ctypes.c_wchar_p), ("value", _Value))


def shared_usage_bytes(pid: int | None = None, pdh: Any = None) -> int | None:
    """Shared GPU memory of a process (this one), in bytes over all cards.

    None on another system, on a Windows without the counter, for a process without GPU memory and
    on any failure: this is a look aside, it never raises. `pdh` stands for the library.
    """
    return _usage(_SHARED, pid, pdh)


def dedicated_usage_bytes(pid: int | None = None, pdh: Any = None) -> int | None:
    """GPU memory of a process (this one) that lies on cards, in bytes; None as above."""
    return _usage(_DEDICATED, pid, pdh)


def _usage(path: str, pid: int | None, pdh: Any) -> int | None:
    """A counter's value for a process over all cards, None where it cannot be had."""
    try:
        library = pdh if pdh is not None else _pdh()
        return None if library is None else _ask(library, path, os.getpid() if pid is None else pid)
    except Exception:  # a counter that is damaged or switched off, a library that is not there
        return None


def _pdh() -> Any:
    return getattr(ctypes, "WinDLL")("pdh") if sys.platform == "win32" else None  # noqa: B009


def _ask(pdh: Any, path: str, pid: int) -> int | None:
    """Open a query, collect once, add up the rows of the process, close."""
    query = ctypes.c_void_p()
    if pdh.PdhOpenQueryW(None, None, ctypes.byref(query)) != 0:
        return None
    try:
        counter = ctypes.c_void_p()
        # By its English name: other counters' names are translated with Windows.
        if pdh.PdhAddEnglishCounterW(query, path, None, ctypes.byref(counter)) != 0:
            return None
        if pdh.PdhCollectQueryData(query) != 0:
            return None
        rows = [row for name, row in _rows(pdh, counter) if name.startswith(f"pid_{pid}_")]
        return sum(rows) if rows else None
    finally:
        pdh.PdhCloseQuery(query)


def _rows(pdh: Any, counter: ctypes.c_void_p) -> list[tuple[str, int]]:
    """Every row of the counter that holds a value: asked for its size first, then for itself."""
    size, count = ctypes.c_uint32(0), ctypes.c_uint32(0)
    read = pdh.PdhGetFormattedCounterArrayW
    arguments = (counter, _FORMAT_LARGE, ctypes.byref(size), ctypes.byref(count))
    if read(*arguments, None) & 0xFFFFFFFF != _MORE_DATA:
        return []
    # The names stand behind the items in the same buffer, so its size is given in bytes.
    buffer = ctypes.create_string_buffer(size.value)
    if read(*arguments, buffer) != 0:
        return []
    items = ctypes.cast(buffer, ctypes.POINTER(_Item))
    found = [items[at] for at in range(count.value)]
    return [(item.name or "", item.value.large) for item in found if item.value.status in _VALID]
