"""Why a card is throttled: the driver's reasons, as a person names them."""

from enum import StrEnum


class Throttle(StrEnum):
    """A reason of NVML's `clocksEventReasons`; those that only say "idle" are none."""

    POWER = "power limit"
    HEAT = "temperature"
    HARDWARE = "hardware slowdown"
    POWER_BRAKE = "power brake"
