"""`--storage URL`: which database it names, and never its password.

A password that stands in the URL goes to where libpq looks for one, `PGPASSWORD` of this process,
and nowhere else: what is shown, kept and handed to other processes has none.
"""

import os
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autotune.base.errors import BadInput
from autotune.base.home import from_home

PASSWORD = "PGPASSWORD"
"""Where libpq takes a password from before it looks into `~/.pgpass`."""

OPTION = "--storage"

DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")
"""How a URL of PostgreSQL may begin. `postgres` is libpq's own word for it."""

_SQLITE = "sqlite:///"

EXAMPLE = "postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class Address:
    """A database.

    Attributes:
        kind: which system.
        shown: the URL without a password, as a command line takes it.
        arguments: what libpq is given by name; empty for SQLite.
        file: the database of SQLite.
    """

    kind: Literal["postgresql", "sqlite"]
    shown: str
    arguments: Mapping[str, str | int]
    file: Path | None = None


def read_address(text: str, environ: MutableMapping[str, str] | None = None) -> Address:
    """The database of a URL; a password in it is moved into `environ` (default: this process's).

    A path of SQLite is taken as it stands, so `%`, `?` and `#` in it mean themselves.

    Raises:
        BadInput: it is no URL of PostgreSQL or SQLite. The text is not quoted: it may hold a
            password.
    """
    if text.lower().startswith(_SQLITE) and len(text) > len(_SQLITE):
        file = from_home(text[len(_SQLITE) :]).absolute()
        return Address("sqlite", f"{_SQLITE}{file}", {}, file)
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise BadInput(f"{OPTION}: is no URL of a database; give one such as {EXAMPLE}") from error
    if url.drivername not in DRIVERS:
        raise BadInput(
            f"{OPTION} {url.drivername}://...: must be PostgreSQL, such as {EXAMPLE}, or on one"
            " host sqlite:///FILE"
        )
    if not url.database:
        raise BadInput(f"{OPTION}: names no database; give one such as {EXAMPLE}")
    asked = {key: _joined(value) for key, value in url.query.items()}
    password = url.password or asked.pop("password", None)
    asked.pop("password", None)
    if password:
        (os.environ if environ is None else environ)[PASSWORD] = str(password)
    shown = URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, asked
    ).render_as_string()
    whole: dict[str, str | int | None] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "dbname": url.database,
    }
    given = {key: value for key, value in whole.items() if value is not None}
    return Address("postgresql", shown, given | asked)


def holds_password(text: str) -> bool:
    """Whether a URL has a password in it, which anyone who lists processes can read."""
    moved: dict[str, str] = {}
    try:
        read_address(text, moved)
    except BadInput:
        return False
    return PASSWORD in moved


def without_password(arguments: Sequence[str]) -> list[str]:
    """A command line as it may be shown: the URL of `--storage` without its password."""
    shown = []
    previous = ""
    for word in arguments:
        name, sign, value = word.partition("=")
        if previous == OPTION:
            shown.append(_shown(word))
        elif sign and name == OPTION:
            shown.append(f"{name}={_shown(value)}")
        else:
            shown.append(word)
        previous = word
    return shown


def _shown(text: str) -> str:
    try:
        return read_address(text, {}).shown
    except BadInput:
        return "URL"


def _joined(value: str | tuple[str, ...]) -> str:
    """A key that stands several times is a list to libpq, as its hosts are."""
    return value if isinstance(value, str) else ",".join(value)
