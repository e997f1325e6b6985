"""A PostgreSQL server of the tests' own, with a password; tests skip where there is none."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER, PASSWORD, DATABASE = "autotune", "not&to/be:shown", "postgres"


@contextmanager
def server() -> Iterator[str]:
    """A fresh cluster; its URL, in which the password is left out."""
    tools = _tools()
    root = Path(tempfile.mkdtemp(prefix="autotune-postgres-"))
    as_owner = _as_owner(root)
    data, log, secret = root / "data", root / "log", root / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    if as_owner:
        shutil.chown(secret, as_owner[2])
    port = _free_port()
    # Without a wait for the disk: nothing of it is kept.
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    )
    make = [tools / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}"]
    control = [tools / "pg_ctl", "-D", data, "-l", log, "-w"]
    try:
        _run([*as_owner, *make, "-N", "--no-locale", "-E", "UTF8"], root)
        _run([*as_owner, *control, "-o", options, "start"], root)
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/{DATABASE}"
        finally:
            _run([*as_owner, *control, "-m", "immediate", "stop"], root)
    finally:
        shutil.rmtree(root)


def with_password(url: str) -> str:
    """The URL as somebody types it who does not know better."""
    from urllib.parse import quote

    return url.replace(f"{USER}@", f"{USER}:{quote(PASSWORD, safe='')}@")


def _tools() -> Path:
    """The folder of PostgreSQL's programs; Debian keeps them beside the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        pytest.skip("PostgreSQL is not installed here (no initdb)")
    return folders[-1].parent


def _as_owner(root: Path) -> list[str]:
    """How a command is run by somebody who may run a server: root may not."""
    if not hasattr(os, "getuid") or os.getuid() != 0:
        return []
    runuser = shutil.which("runuser")
    if runuser is None:
        pytest.skip("PostgreSQL does not run as root, and runuser is not here")
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in ("postgres", "nobody") if name in known)
    shutil.chown(root, user)
    return [runuser, "-u", user, "--"]


def _run(command: list[object], where: Path) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=where,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout.decode("utf-8", "replace"))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
