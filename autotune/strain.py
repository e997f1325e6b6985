"""What keeps a card from its full speed at the moment: heat, a brake, the battery."""

from collections.abc import Callable

from autotune.battery import on_battery
from autotune.device_port import NvmlPort, NvmlUnavailable
from autotune.throttle import Throttle

ON_BATTERY = "on battery"


def strain(
    nvml: NvmlPort, index: int, battery: Callable[[], bool | None] = on_battery
) -> tuple[str, ...]:
    """Why the clock is held down now, in words; empty where it is not or nothing tells.

    The power limit is left out: a laptop's card is at it much of the time, and loses little.
    """
    try:
        throttled = nvml.state(index).throttled or ()
    except NvmlUnavailable:
        throttled = ()
    held = [reason.value for reason in throttled if reason is not Throttle.POWER]
    return (*held, ON_BATTERY) if battery() else tuple(held)
