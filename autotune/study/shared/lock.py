"""One process at a time decides which trial comes next: "read, decide, ask" is one step for all."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autotune.base.errors import EnvironmentFault
from autotune.study.shared.address import Address
from autotune.study.shared.storage import translated

WAIT_SECONDS = 120
"""How long the others may take. A decision is a handful of questions to the database, so one that
is not over by then stands still."""

_HELD_TOO_LONG = "55P03"
"""PostgreSQL's code of a lock that was not given in time (its manual, appendix A)."""


def lock_key(study: str) -> int:
    """The number that a study's lock has in PostgreSQL: 64 bits with a sign, hashed of its name."""
    digest = hashlib.sha256(f"smolsft-autotune:{study}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@contextmanager
def deciding(
    storage: Any, address: Address, study: str, wait_seconds: float = WAIT_SECONDS
) -> Iterator[None]:
    """Hold the study's lock; it is given back at the end, and by the server if this process dies.

    Raises:
        EnvironmentFault: another process holds it for longer than `wait_seconds`, or the database
            cannot be reached.
    """
    if address.file is not None:
        yield from _file_lock(address, study, wait_seconds)
        return
    from sqlalchemy import text

    with translated(address), storage.engine.connect() as connection, connection.begin():
        connection.execute(text(f"SET LOCAL lock_timeout = {int(wait_seconds * 1000)}"))
        try:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(study)})
        except Exception as error:
            if getattr(getattr(error, "orig", None), "sqlstate", None) == _HELD_TOO_LONG:
                raise _stuck(study, wait_seconds) from None
            raise
        yield


def _file_lock(address: Address, study: str, wait_seconds: float) -> Iterator[None]:
    """The same beside a database that is a file."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{address.file}.lock", timeout=wait_seconds)
    try:
        with lock, translated(address):
            yield
    except Timeout:
        raise _stuck(study, wait_seconds) from None


def _stuck(study: str, seconds: float) -> EnvironmentFault:
    return EnvironmentFault(
        f"study {study}: another worker has been choosing its trial for {seconds:.0f} s; find the"
        " one that stands still and end it, then run the same command again"
    )
