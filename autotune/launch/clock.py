"""A clock that continues while the computer sleeps, and the pauses that it shows."""

import sys
import time

PAUSE_SECONDS = 60.0
"""A look at a worker takes a tenth of a second. One that takes a minute was not a look: the
computer slept or the program was stopped. A disk that is slow to take a record blocks for less."""

WAKING_SECONDS = 1.0
"""The most that one look adds to a worker's silence, so that no pause counts as silence."""


def running_seconds() -> float:
    """Seconds since some moment, those in sleep included; no change of the date moves it.

    `time.monotonic` stops in sleep on Linux and macOS, and continues on Windows.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    elif sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    else:
        return time.monotonic()
