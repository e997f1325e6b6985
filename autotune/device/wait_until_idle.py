"""The wait before a trial: until nobody else on the card is taking or giving back memory."""

import time
from collections.abc import Callable

from autotune.base.sizes import MIB, show_size
from autotune.device.nvml_port import NvmlPort, NvmlUnavailable

STEADY_BYTES = 16 * MIB
"""Two looks that differ by less are a card at rest; a screen that is drawn moves a few MiB."""

LOOK_SECONDS = 0.2
MAX_WAIT_SECONDS = 5.0


def wait_until_idle(
    nvml: NvmlPort, index: int, sleep: Callable[[float], None] = time.sleep
) -> str | None:
    """Wait until two looks at the card's memory agree, a few seconds at most.

    A process that has just ended gives its memory back over some tenths of a second. Returns None
    when the card is at rest or does not report its use, else what a person should know.
    """
    last = _used(nvml, index)
    for _ in range(round(MAX_WAIT_SECONDS / LOOK_SECONDS)):
        if last is None:
            return None
        sleep(LOOK_SECONDS)
        now = _used(nvml, index)
        if now is None or abs(now - last) < STEADY_BYTES:
            return None
        last = now
    return (
        f"the card's memory keeps changing ({show_size(last or 0)} in use); another program is"
        " working on it, and what is measured now may not hold later"
    )


def _used(nvml: NvmlPort, index: int) -> int | None:
    try:
        return nvml.state(index).used_bytes
    except NvmlUnavailable:
        return None
