"""A step in a process of its own, ended with all that it started when its time is over."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GOODBYE_SECONDS = 10.0
"""A killed process on a card takes seconds to give its memory back; the next step needs it."""

LISTEN_SECONDS = 0.5
"""Of one wait for a process: on Windows Ctrl-C is heard only when it is over."""


class TimeIsUp(Exception):
    """The process was still there at its limit."""


def run_limited(
    command: Sequence[str], *, seconds: float, log: Path, cwd: Path, environ: dict[str, str]
) -> int:
    """Run a command with its output in `log`; its exit code.

    It has a group of its own, so that its workers can be ended with it, and Ctrl-C reaches only us.

    Raises:
        TimeIsUp: it took longer than `seconds`; it and its children are gone.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environ,
            **own_group(),
        )
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(min(left, LISTEN_SECONDS))
        raise TimeIsUp
    finally:
        end_group(process)


def own_group() -> dict[str, Any]:
    """What makes `Popen` start a process that heads a group of its own."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """End a process and what it started, also what heads a group of its own by now."""
    running = process.poll() is None
    below = descendants(process.pid) if running else []
    if sys.platform == "win32":
        if running:
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False
            )
    else:
        # Also after a normal end: what it left behind would disturb the next step.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for child in below:
        with contextlib.suppress(Exception):  # it is gone already
            child.kill()
    if running:
        end = time.monotonic() + GOODBYE_SECONDS
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        process.kill()
        process.wait()


def descendants(pid: int) -> list[Any]:
    """The processes below one; none where psutil is not here to ask."""
    try:
        import psutil
    except ImportError:
        return []
    try:
        found: list[Any] = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return found
