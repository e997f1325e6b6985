"""What becomes of a command whose output nobody reads, or whose disk is full."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.cli.streams import GuardedStream, guarded_output
from autotune.protocol.events import Notice
from autotune.run.folder import RunDir

posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell's redirections")


def heed() -> None:
    """What a terminal starts heeds these, also where a background or nohup ignores them."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def shell(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A line of a shell in which `tool` is the command line; its last word is the tool's code."""
    tool = f'tool() {{ "{sys.executable}" -m autotune "$@"; }}; '
    return subprocess.run(
        ["sh", "-c", tool + line],
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


@posix
@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        ("{ tool profiles show cpu-smoke; echo $? >&2; } | true", 0, ""),
        ("{ tool profiles list --json; echo $? >&2; } | true", 0, ""),
        ("tool profiles list >&-; echo $? >&2", 0, ""),
        ("{ tool report nowhere 2>&-; echo $? >&2; }", 2, ""),
        ("{ tool report nowhere 2>&1 >&- ; echo $? >&2; } | true", 2, ""),
    ],
)
def test_a_reader_that_goes_changes_no_exit_code(
    tmp_path: Path, line: str, code: int, error: str
) -> None:
    done = shell(line, tmp_path)
    assert done.stderr.split() == [*error.split(), str(code)]


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("command", ["profiles list", "profiles list --json", "--help"])
def test_an_answer_that_cannot_be_written_is_exit_code_4_and_a_line(
    tmp_path: Path, command: str
) -> None:
    done = shell(f"tool {command} >/dev/full; echo $? >&2", tmp_path)
    line, code = done.stderr.splitlines()
    assert code == "4"
    assert line.startswith("smolsft-autotune: standard output cannot be written (No space left")
    quiet = shell(f"tool {command} >/dev/full 2>/dev/full; echo $?", tmp_path)
    assert quiet.stdout.split() == ["4"]


class Broken(io.StringIO):
    """A stream whose writes fail."""

    def __init__(self, number: int, terminal: bool = False) -> None:
        super().__init__()
        self.number = number
        self.terminal = terminal
        self.tried = 0

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.tried += 1
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "terminal", "platform", "gone"),
    [
        (errno.EPIPE, False, "linux", True),
        (errno.EIO, True, "linux", True),
        (errno.EIO, False, "linux", False),
        (errno.ENOSPC, False, "linux", False),
        (errno.EINVAL, False, "win32", True),
        (errno.EINVAL, False, "linux", False),
    ],
)
def test_a_reader_that_has_gone_is_told_from_a_disk_that_is_full(
    monkeypatch: pytest.MonkeyPatch, number: int, terminal: bool, platform: str, gone: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    stream = Broken(number, terminal)
    outlet = GuardedStream(stream, "standard output")
    if gone:
        outlet.write("a line\n")
    else:
        with pytest.raises(EnvironmentFault, match="standard output cannot be written"):
            outlet.write("a line\n")
    outlet.write("another\n")
    outlet.flush()
    assert stream.tried == 1


def test_a_closed_stream_takes_everything() -> None:
    outlet = GuardedStream(None, "standard error")
    assert (outlet.encoding, outlet.isatty()) == ("utf-8", False)
    assert outlet.write("ä\n") == 2
    outlet.flush()


def test_a_full_disk_that_somebody_passed_over_still_ends_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Broken(errno.ENOSPC)
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(EnvironmentFault), guarded_output(), suppress(EnvironmentFault):
        print("a line")
    assert sys.stdout is stream


@pytest.fixture
def ended() -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that are ended with the test, whatever becomes of it."""
    found: list[subprocess.Popen[str]] = []
    yield found
    for process in found:
        process.kill()
        process.communicate()


def until(process: "subprocess.Popen[str]", found: object, seconds: float = 200.0) -> None:
    """Wait until `found()` while the process lives."""
    end = time.monotonic() + seconds
    while not found():  # type: ignore[operator]
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.05)


@posix
@pytest.mark.torch
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_run_that_nobody_reads_goes_on_and_a_signal_ends_it_as_ctrl_c_does(
    tmp_path: Path, ended: list["subprocess.Popen[str]"], name: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "autotune", "run", "--profile", "cpu-smoke", "--run-dir", "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        start_new_session=True,
        preexec_fn=heed,
    )
    ended.append(process)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().startswith("profile cpu-smoke")
    process.stdout.close()
    rundir = RunDir(tmp_path / "run")
    # Several lines are said between the first one and this record.
    until(process, lambda: any(rundir.record.of_kind("run_started")))
    process.send_signal(getattr(signal, name))
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(100) == 130
    (line,) = said.splitlines()
    assert line.startswith("smolsft-autotune: interrupted")
    last = [*rundir.records()][-1].event
    assert isinstance(last, Notice)
    assert last.about == "interrupted"
    assert not (rundir.root / "lock.txt").exists()
    assert not rundir.in_use
