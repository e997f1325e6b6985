"""Whether the computer runs on its battery: a laptop then halves the clock of its card."""

from typing import Any


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
