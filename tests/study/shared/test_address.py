"""What a person types for `--storage`, what they read when it does not work, and no password."""

import os
from pathlib import Path

import pytest

from autotune.base.errors import AutotuneError, BadInput, EnvironmentFault
from autotune.cli.usage import command_again
from autotune.study.shared.address import holds_password, read_address
from autotune.study.shared.shared_study import make_study
from autotune.study.shared.storage import open_storage
from tests import postgres

TYPED = "postgresql://me:not%26to%2Fbe%3Ashown@db.example:5433/runs?sslmode=require"


@pytest.mark.parametrize("typed", [TYPED, TYPED.replace("postgresql", "postgres")])
def test_a_password_in_a_url_goes_where_libpq_looks_and_nowhere_else(typed: str) -> None:
    environ: dict[str, str] = {}
    address = read_address(typed, environ)
    assert environ == {"PGPASSWORD": "not&to/be:shown"}
    assert address.shown == "postgresql://me@db.example:5433/runs?sslmode=require"
    assert "shown" not in str(address.arguments)
    assert holds_password(typed) and not holds_password(address.shown)


def test_a_password_among_a_urls_parameters_is_one_as_well() -> None:
    for typed in ("postgresql://h/d?password=hidden", "postgresql://:hidden@h/d?password=other"):
        environ: dict[str, str] = {}
        address = read_address(typed, environ)
        assert environ == {"PGPASSWORD": "hidden"} and address.shown.endswith("h/d")
        assert "password" not in address.arguments


def test_the_command_to_give_again_has_no_password() -> None:
    for typed in (["run", "--storage", TYPED], ["run", f"--storage={TYPED}", "--study", "s"]):
        again = command_again(typed)
        assert "not" not in again and "db.example:5433/runs" in again


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("mysql://me:secret@h/d", "mysql://...: must be PostgreSQL"),
        ("me:secret@h", "is no URL of a database"),
        ("postgresql://me:secret@h:port/d", "is no URL of a database"),
        ("postgresql://me:secret@h", "names no database"),
        ("sqlite:///", "or on one host sqlite:///FILE"),
    ],
)
def test_another_url_is_refused_in_a_line_without_its_password(typed: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        read_address(typed, {})
    assert "secret" not in str(refused.value)


def test_a_study_that_nobody_began_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no study yet"):
        open_storage(read_address(f"sqlite:///{tmp_path}/none.db"), make_tables=False)
    assert not list(tmp_path.iterdir())


def test_without_the_driver_its_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(BadInput, match=r'pip install "smolsft-autotune\[postgres\]"'):
        open_storage(read_address("postgresql://h/d"), make_tables=False)


def test_a_worker_before_the_coordinator_is_told_so(database: str) -> None:
    with pytest.raises(BadInput, match="holds no study yet; begin one there"):
        open_storage(read_address(database), make_tables=False)


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        (lambda url: url.replace("/postgres", "/none"), BadInput, "createdb none"),
        (lambda url: url.replace("autotune@", "other@"), BadInput, "~/.pgpass or PGPASSWORD"),
        (lambda url: f"{url}?frob=1", BadInput, 'invalid connection option "frob"'),
        (lambda _: "postgresql://127.0.0.1:1/d", EnvironmentFault, "cannot be reached"),
    ],
)
def test_what_is_wrong_with_a_server_is_one_line_with_a_remedy(
    database: str, changed: object, kind: type[AutotuneError], said: str
) -> None:
    with pytest.raises(kind) as refused:
        open_storage(read_address(changed(database)), make_tables=True)  # type: ignore[operator]
    line = str(refused.value)
    assert said in line and "\n" not in line and postgres.PASSWORD not in line


def test_a_password_in_a_file_of_ones_own_opens_the_database(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    secret = tmp_path / "pgpass"
    hidden = postgres.PASSWORD.replace(":", "\\:")
    secret.write_text(f"127.0.0.1:*:*:{postgres.USER}:{hidden}\n", encoding="utf-8")
    secret.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(secret))
    make_study(read_address(server_url), "from a file").close()


def test_a_typed_password_opens_the_database_and_is_kept_nowhere(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    address = read_address(postgres.with_password(server_url))
    study = make_study(address, "typed")
    kept = (
        f"{study.storage.url} {study.storage.engine.url!r} {study.storage.engine_kwargs} {address}"
    )
    study.close()
    assert os.environ["PGPASSWORD"] == postgres.PASSWORD
    assert postgres.PASSWORD not in kept
