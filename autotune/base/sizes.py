"""Memory sizes: how a person writes one, and how one is shown."""

import re
from functools import partial

from autotune.base.errors import BadInput

MIB = 2**20
GIB = 2**30

CONTEXT_BYTES = 500 * MIB
"""What a CUDA process takes outside PyTorch's allocator (driver, kernels, cuBLAS), where nobody
measured it: the upper end of what CUDA 12 takes on consumer cards."""

_UNITS = {"MB": 10**6, "GB": 10**9, "MIB": MIB, "GIB": GIB}
_SIZE = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Za-z]+)\s*")
_NEARLY = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([MG]?(?:I?B)?)\s*", re.IGNORECASE)

MIB_FROM = 256
"""No card of today has so many GiB, and none that trains so few MiB."""


def parse_size(text: str) -> int:
    """Bytes of a size such as `7.2GiB`, `8GB` or `8192MiB`.

    Raises:
        BadInput: no number, no unit, an unknown unit, or nothing left after rounding.
    """
    match = _SIZE.fullmatch(text)
    unit = match.group(2).upper() if match else ""
    if match is None or unit not in _UNITS:
        near = near_size(text)
        raise BadInput(
            f"memory size {text!r}: must be a positive number with a unit (MB, MiB, GB or GiB); "
            + (f"did you mean {near}?" if near else "write it as in 7.2GiB")
        )
    size = int(float(match.group(1)) * _UNITS[unit])
    if size <= 0:
        raise BadInput(f"memory size {text!r}: must be above zero; write it as in 7.2GiB")
    return size


def near_size(text: str) -> str | None:
    """The size that was probably meant by one without its unit, or with a decimal comma.

    A bare number from `MIB_FROM` up counts MiB, as cards' makers print theirs; a smaller one GiB.
    """
    match = _NEARLY.fullmatch(text.replace(",", "."))
    if match is None or not float(match.group(1)):
        return None
    unit = {"M": "MiB", "G": "GiB"}.get(match.group(2)[:1].upper())
    if unit is None:
        unit = "MiB" if float(match.group(1)) >= MIB_FROM else "GiB"
    return f"{match.group(1)}{unit}"


def show_size(size_bytes: int) -> str:
    """A size as the screen shows it: GiB with two digits, MiB below one GiB."""
    return f"{size_bytes / GIB:.2f} GiB" if size_bytes >= GIB else show_mib(size_bytes)


def show_apart(*sizes: int) -> tuple[str, ...]:
    """Sizes that stand in one sentence, so that different ones look different.

    As `show_size`, else in MiB with up to two decimals, else in bytes: "8.00 GiB is more than
    8.00 GiB" tells nobody why.
    """
    for show in (show_size, show_mib, partial(show_mib, digits=1), partial(show_mib, digits=2)):
        shown = tuple(show(size) for size in sizes)
        if len(set(shown)) == len(set(sizes)):
            return shown
    return tuple(f"{size} bytes" for size in sizes)


def show_mib(size_bytes: int, digits: int = 0) -> str:
    """A size in MiB: in whole ones, as cards' sizes are written by their driver, or finer."""
    return f"{size_bytes / MIB:.{digits}f} MiB"
