"""Temporary folders: gone with their command, and swept later where the command was killed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from autotune.base.errors import EnvironmentFault
from autotune.base.scratch import KINDS, OLD_SECONDS, scratch_folder, sweep_scratch


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of their own for the temporary files of this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt, SystemExit])
def test_a_folder_is_gone_however_its_command_ends(
    temporary: Path, error: type[BaseException] | None
) -> None:
    def use() -> None:
        with scratch_folder("plan") as folder:
            (folder / "job").mkdir()
            assert folder.parent == temporary
            if error is not None:
                raise error

    if error is None:
        use()
    else:
        with pytest.raises(error):
            use()
    assert list(temporary.iterdir()) == []


def test_an_error_that_names_a_log_in_it_quotes_the_end_of_the_log_instead(
    temporary: Path,
) -> None:
    with pytest.raises(EnvironmentFault) as fault, scratch_folder("inspect") as folder:
        log = folder / "worker.log"
        log.write_text("loading\n\nOSError: no room left\n\n", encoding="utf-8")
        raise EnvironmentFault("data x: crashed", log=log)
    assert str(fault.value) == "data x: crashed; the worker's last words: OSError: no room left"


def left(parent: Path, name: str, *, age: float = OLD_SECONDS + 1) -> Path:
    """What a killed command left, so many seconds ago."""
    folder = parent / name
    folder.mkdir()
    (folder / "in-use.lock").touch()
    then = folder.stat().st_mtime - age
    os.utime(folder, (then, then))
    return folder


@pytest.mark.parametrize("kind", [*KINDS, "autotune"])
def test_what_a_killed_command_left_is_swept_at_a_later_start(temporary: Path, kind: str) -> None:
    folder = left(temporary, f"smolsft-{kind}-ab12_x9z")
    with scratch_folder("card"):
        assert not folder.exists()


def test_what_is_young_in_use_or_not_ours_stays(temporary: Path) -> None:
    young = left(temporary, "smolsft-plan-abcdefgh", age=60)
    other = left(temporary, "smolsft-notes-abcdefgh")
    named = left(temporary, "smolsft-plan")
    used = left(temporary, "smolsft-inspect-abcdefgh")
    held = (
        "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire();"
        " print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", held, str(used / "in-use.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().strip() == b"held"
        then = used.stat().st_mtime - OLD_SECONDS - 60
        os.utime(used, (then, then))
        sweep_scratch()
        assert all(path.is_dir() for path in (young, other, named, used))
        owner.kill()
    sweep_scratch()
    assert not used.exists()


def test_a_trace_that_an_earlier_version_left_is_swept_as_well(temporary: Path) -> None:
    log = temporary / "smolsft-autotune-ab12cd34.log"
    log.touch()
    sweep_scratch(now=log.stat().st_mtime + OLD_SECONDS + 1)
    assert not log.exists()


def test_a_lock_of_this_process_counts_as_in_use(temporary: Path) -> None:
    folder = left(temporary, "smolsft-card-abcdefgh")
    with FileLock(folder / "in-use.lock"):
        then = folder.stat().st_mtime - OLD_SECONDS - 60
        os.utime(folder, (then, then))
        sweep_scratch()
        assert folder.is_dir()
