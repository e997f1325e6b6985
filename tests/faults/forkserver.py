"""A process that has loaded what takes seconds, and forks a child for each start that is asked for.

    python -m tests.faults.forkserver SOCKET ENTRY MODULE...

A child is the process that a fresh start would be, as far as a file system or a pipe can tell: its
own process group, its own streams, environment, arguments and working directory, killed like any
other. The server computes nothing and has one thread, so there is nothing to inherit in the middle.
"""

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

MOST_BYTES = 1 << 20
"""Of a request; an environment takes some thousand."""


def main() -> None:
    """Load, listen, fork until standard input is closed."""
    path, entry, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    module, function = entry.split(":")
    begin: Callable[[], int] = getattr(importlib.import_module(module), function)
    tasks = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
    gc.freeze()  # a child's collector would write to every page that it shares
    assert tasks == 1, f"{tasks} threads: a fork would inherit what they hold"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(16)
    serve(listener, begin)


def serve(listener: socket.socket, begin: Callable[[], int]) -> None:
    """Fork a child for each request; tell its asker the process id, then the exit status."""
    askers: dict[int, socket.socket] = {}
    waking, woken = os.pipe()
    for end in (waking, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ready = selectors.DefaultSelector()
    for source in (listener.fileno(), waking, 0):
        ready.register(source, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            if key.fd == 0:  # nobody is there to ask any more
                for pid in askers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                os._exit(0)
            if key.fd == waking:
                os.read(waking, 4096)
                _reap(askers)
            else:
                asker, _ = listener.accept()
                try:
                    pid = _fork(asker, begin)
                except ConnectionError:
                    pid = None
                if pid is None:
                    asker.close()
                else:
                    askers[pid] = asker


def _reap(askers: dict[int, socket.socket]) -> None:
    while askers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        asker = askers.pop(pid)
        with contextlib.suppress(OSError):  # it may be gone itself
            asker.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        asker.close()


def _fork(asker: socket.socket, begin: Callable[[], int]) -> int | None:
    """Take one request and fork for it; None for one whose asker died before it had said all.

    One that dies later is no matter here: what was forked for it finds its input closed.
    """
    fds = array.array("i")
    data, ancillary, _, _ = asker.recvmsg(65536, socket.CMSG_SPACE(3 * fds.itemsize))
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: 3 * fds.itemsize])
    while not data.endswith(b"\n") and len(data) < MOST_BYTES:
        more = asker.recv(65536)
        if not more:
            break
        data += more
    if not data.endswith(b"\n"):
        for fd in fds:
            os.close(fd)
        return None
    pid = os.fork()
    if pid == 0:
        _become(json.loads(data), list(fds), begin)
    for fd in fds:
        os.close(fd)
    with contextlib.suppress(OSError):
        asker.sendall(f"{pid}\n".encode())
    return pid


def _become(request: Mapping[str, object], fds: list[int], begin: Callable[[], int]) -> NoReturn:
    """Be the child that was asked for; never returns."""
    code = 70
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for at, fd in enumerate(fds):
            os.dup2(fd, at)
        os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        environment = request["environment"]
        assert isinstance(environment, dict)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(str(request["folder"]))
        arguments = request["arguments"]
        assert isinstance(arguments, list)
        sys.argv[:] = arguments
        tempfile.tempdir = None
        atexit._clear()
        code = _exit_code(begin)
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)


def _exit_code(begin: Callable[[], int]) -> int:
    try:
        return begin()
    except SystemExit as leaving:
        return int(leaving.code or 0)


class Server:
    """A fork server, from the side of who asks."""

    def __init__(
        self, folder: Path, entry: str, modules: list[str], environment: Mapping[str, str]
    ) -> None:
        import subprocess

        self.path = folder / f"{entry.rsplit(':', 1)[1]}.socket"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forkserver", str(self.path), entry, *modules],
            cwd=Path(__file__).resolve().parents[2],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def wait_until_ready(self) -> None:
        """Return once everything is loaded."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """End the server and its children."""
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.wait()


if __name__ == "__main__":
    main()
