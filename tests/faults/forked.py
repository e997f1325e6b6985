"""A process that a fork server started, seen as `subprocess.Popen` shows one."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any


class Forked:
    """What `launch.process` and a test use of `Popen`, for a child of the server at `server`."""

    def __init__(
        self,
        server: str,
        arguments: Sequence[str],
        *,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.args = list(arguments)
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        given, kept = [], []
        for at, stream in enumerate((stdin, stdout, stderr)):
            if stream == subprocess.PIPE:
                reading, writing = os.pipe()
                given.append(writing if at else reading)
                kept.append(given[-1])
                if at:
                    self.stdout = os.fdopen(reading, "rb")
                else:
                    self.stdin = os.fdopen(writing, "wb")
            elif stream in (None, subprocess.DEVNULL):
                given.append(os.open(os.devnull, os.O_RDWR))
                kept.append(given[-1])
            else:
                given.append(stream if isinstance(stream, int) else stream.fileno())
        self._line = b""
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.connect(server)
        request = {
            "arguments": self.args,
            "environment": dict(os.environ if env is None else env),
            "folder": str(cwd or Path.cwd()),
        }
        data = json.dumps(request).encode() + b"\n"
        socket.send_fds(self._server, [data[:1]], given)
        self._server.sendall(data[1:])
        for fd in kept:
            os.close(fd)
        self.pid = int(self._told(None))

    def _told(self, seconds: float | None) -> bytes:
        """The server's next line; empty where it says nothing for so long."""
        until = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._line:
            left = None if until is None else max(0.0, until - time.monotonic())
            self._server.settimeout(left)
            try:
                chunk = self._server.recv(64)
            except (TimeoutError, BlockingIOError):
                return b""
            if not chunk:
                raise RuntimeError("the fork server is gone")
            self._line += chunk
        line, _, self._line = self._line.partition(b"\n")
        return line

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one.

        Raises:
            subprocess.TimeoutExpired: it runs longer.
        """
        if self.returncode is None:
            line = self._told(timeout)
            if not line:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self.returncode = int(line)
            self._server.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to be gone."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def forking(server: str, **variables: str) -> Any:
    """The module `subprocess`, whose `Popen` has `server` fork a worker with these variables.

    Any other command is started as ever.
    """

    def popen(command: list[str], *, env: dict[str, str], **streams: Any) -> Any:
        if command[1:4] != ["-P", "-m", "autotune.worker"]:
            return subprocess.Popen(command, env=env, **streams)
        wanted = ("stdin", "stdout", "stderr")
        return Forked(
            server,
            command[3:],
            env=env | variables,
            **{name: streams.get(name) for name in wanted},
        )

    names = {name: getattr(subprocess, name) for name in subprocess.__all__}
    return SimpleNamespace(**names | {"Popen": popen})
