"""One PostgreSQL server for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests import postgres


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A server's URL without its password."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is an extra: [postgres]")
    with postgres.server() as url:
        yield url


@pytest.fixture
def database(server_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, where the environment has the password."""
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    return server_url
