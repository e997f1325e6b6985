"""Optuna's storage in a shared database, and what goes wrong with one as a line for a person.

Connections are made here, by name and value, and not by a URL: Optuna and SQLAlchemy are given none
that could hold a password, or characters that mean something in one.
"""

import os
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from autotune.base.errors import AutotuneError, BadInput, EnvironmentFault
from autotune.base.format import quoted
from autotune.study.shared.address import OPTION, Address

INSTALL = 'pip install "smolsft-autotune[postgres]"'

CONNECT_SECONDS = 10
"""How long a connection may take: a database on another continent answers within one."""

SQLITE_SECONDS = 30.0
"""How long processes wait for each other at a file of SQLite, which one writes at a time."""

HEARTBEAT_SECONDS = 60
"""How often a worker says that it lives; Optuna's own documentation takes a minute."""

BEATS_MISSED = 5
"""After how many missed ones its trial is given to another: a database may be restarted, or a
machine sleep for a minute, without two workers at one trial."""

MAX_RETRIES = 3
"""How often a trial is begun again by others. One that ended four workers would end a fifth."""

_TABLES_MISSING = ("UndefinedTable", "no such table")


def open_storage(address: Address, *, make_tables: bool) -> Any:
    """Optuna's `RDBStorage` at an address; trials whose worker is gone are enqueued again.

    Only one process may `make_tables`, before all others: those that begin together on an empty
    database get in each other's way.

    Raises:
        BadInput: the driver is missing, or there is no such database or user.
        EnvironmentFault: the server cannot be reached.
    """
    if address.file is not None and not make_tables and not address.file.exists():
        raise _no_study(address)  # SQLite would make an empty file
    with translated(address), quiet():
        connect = connector(address)
        if not make_tables:
            with closing(connect()) as connection, closing(connection.cursor()) as asked:
                asked.execute("SELECT count(*) FROM studies")
        import optuna
        from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        return RDBStorage(
            "sqlite://" if address.kind == "sqlite" else "postgresql+psycopg://",
            engine_kwargs={"creator": connect} | _pooling(address),
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=HEARTBEAT_SECONDS * BEATS_MISSED,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(MAX_RETRIES),
            skip_table_creation=not make_tables,
        )


def set_heartbeat(storage: Any, seconds: int) -> None:
    """Have trials of this storage's studies watched at another interval."""
    storage.heartbeat_interval, storage.grace_period = seconds, seconds * BEATS_MISSED


def close_storage(storage: Any) -> None:
    """Give the connections of a storage back."""
    storage.remove_session()
    storage.engine.dispose()


def _pooling(address: Address) -> dict[str, Any]:
    """How connections are kept: between questions lie hours, in which a server may restart."""
    if address.kind == "sqlite":
        from sqlalchemy.pool import NullPool

        return {"poolclass": NullPool}
    return {"pool_pre_ping": True}


def connector(address: Address) -> Callable[[], Any]:
    """What makes a connection to the database."""
    if address.file is not None:
        file = os.fspath(address.file)
        return lambda: sqlite3.connect(file, timeout=SQLITE_SECONDS, check_same_thread=False)
    import psycopg

    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "smolsft-autotune",
        **address.arguments,
    }
    return lambda: psycopg.connect(**arguments)  # type: ignore[arg-type]


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's notice that heartbeats are experimental, which they are since 2021."""
    with warnings.catch_warnings():
        from optuna.exceptions import ExperimentalWarning

        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Errors of the driver and the server as one line with what to do."""
    try:
        yield
    except AutotuneError:
        raise
    except ImportError as error:
        raise BadInput(
            f"{OPTION} {address.shown}: the driver of PostgreSQL is missing ({error}); {INSTALL}"
        ) from error
    except Exception as error:
        cause = database_error(error)
        if cause is None:
            raise
        raise _fault(address, cause) from None


def database_error(error: BaseException | None) -> Exception | None:
    """The driver's own error behind those that SQLAlchemy and Optuna make of it; None if none."""
    while error is not None:
        if isinstance(error, sqlite3.Error) or _is_psycopgs(error):
            return error  # type: ignore[return-value]
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return None


def _is_psycopgs(error: BaseException) -> bool:
    return any(each.__module__.split(".")[0] == "psycopg" for each in type(error).__mro__)


def _fault(address: Address, cause: Exception) -> AutotuneError:
    """The line on an error. The server's own words come last: they may be in its language."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    said = lines[0] if lines else type(cause).__name__
    where = f"{OPTION} {address.shown}"
    if type(cause).__name__ in _TABLES_MISSING or _TABLES_MISSING[1] in said:
        return _no_study(address)
    if "password" in said:
        return BadInput(
            f"{where}: the server does not accept the password, or was given none ({said}); put it"
            " into ~/.pgpass or PGPASSWORD"
        )
    if '" does not exist' in said and "database" in said:
        name = str(address.arguments.get("dbname"))
        return BadInput(f"{where}: no such database; make it: createdb {quoted(name)} ({said})")
    if "invalid connection option" in said:
        return BadInput(f"{where}: {said}; see libpq's list of connection parameters")
    if "does not exist" in said or "permission denied" in said or "no pg_hba.conf" in said:
        return BadInput(f"{where}: not allowed ({said}); name another user, or have it admitted")
    if address.file is not None:
        return EnvironmentFault(
            f"{where}: cannot be used ({said}); look after the file and its disk, then run the same"
            " command again"
        )
    return EnvironmentFault(
        f"{where}: cannot be reached ({said}); start the server or check its name and port, then"
        " run the same command again"
    )


def _no_study(address: Address) -> BadInput:
    return BadInput(
        f"{OPTION} {address.shown}: holds no study yet; begin one there with smolsft-autotune run"
    )
