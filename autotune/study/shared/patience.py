"""A database that is out of reach for a while costs no training: what it is to be told waits."""

import time
from collections.abc import Callable
from typing import TypeVar

from autotune.base.errors import EnvironmentFault
from autotune.base.format import duration

PATIENCE_SECONDS = 1800.0
"""How long a database may be away: a restart takes a minute, an update of its host half an hour."""

PAUSE_SECONDS = 15.0

Found = TypeVar("Found")


def patiently(
    ask: Callable[[], Found],
    say: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Found:
    """What `ask` answers, asked again while the database cannot be reached; said once.

    Raises:
        EnvironmentFault: it cannot be reached for `PATIENCE_SECONDS`.
    """
    began = clock()
    said = False
    while True:
        try:
            return ask()
        except EnvironmentFault as fault:
            if clock() - began > PATIENCE_SECONDS:
                raise
            if not said:
                say(f"{fault}; trying again for {duration(PATIENCE_SECONDS)}")
                said = True
        sleep(PAUSE_SECONDS)
