"""The pipes of a worker: events go out as JSON lines, jobs and the parent's end come in.

An orphan must not write into a resumed run, so a worker whose standard input ends is over at once.
"""

import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

import psutil

from autotune.protocol import events
from autotune.protocol.events import WorkerEvent


class Pipe:
    """Writes events and remembers the phase, so that a failure can say where it happened."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.phase = "start"

    def emit(self, event: WorkerEvent) -> None:
        """Send one event; a parent that is gone ends the worker at once."""
        if isinstance(event, events.Phase):
            self.phase = event.name
        try:
            self.stream.write(event.model_dump_json().encode("utf-8") + b"\n")
            self.stream.flush()
        except OSError:
            os._exit(5)

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.emit(events.Phase(name=phase))


class FailuresOnly(Pipe):
    """The pipe of a rank that is not the first: all ranks do the same, and one of them says it."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """`name` stands before what the failure says, such as `rank 1 of 2`."""
        super().__init__(stream)
        self.name = name

    def emit(self, event: WorkerEvent) -> None:
        """Send a failure; of all else only the phase is remembered."""
        if isinstance(event, events.Phase):
            self.phase = event.name
        elif isinstance(event, events.Failed):
            super().emit(event.model_copy(update={"message": f"{self.name}: {event.message}"}))


ORPHANED = 1
"""The exit code of a worker whose parent is gone; nobody is there to read it."""


class JobInbox:
    """Reads standard input in a thread of its own from the moment it is made."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._rest = b""
        threading.Thread(target=self._listen, daemon=True).start()

    def next_job(self) -> Path:
        """Wait for the path of the next job file."""
        return Path(self.next_line())

    def next_line(self) -> str:
        """Wait for the next line."""
        return self._lines.get()

    def _listen(self) -> None:
        """Take in lines until there are no more.

        Windows lets one operation at a time at a pipe, and libraries look at standard input while
        they are loaded: beside a pending read, importing numpy hangs (numpy#24290). So there the
        pipe is asked now and then, and only what is there already is read.
        """
        if sys.platform == "win32":
            import _winapi
            import msvcrt

            pipe = msvcrt.get_osfhandle(0)
            try:
                while True:
                    available, _ = _winapi.PeekNamedPipe(pipe, 0)
                    if available:
                        self._take(os.read(0, available))
                    else:
                        time.sleep(0.1)
            except BrokenPipeError:
                os._exit(ORPHANED)
            except OSError:
                return  # a console, not a pipe: started by hand, nobody to follow
        while chunk := os.read(0, 4096):
            self._take(chunk)
        os._exit(ORPHANED)

    def _take(self, chunk: bytes) -> None:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._lines.put(line.decode("utf-8").rstrip("\r"))


STARTER_SECONDS = 1.0
"""How often it is looked whether torchrun is there; a new one takes longer to load torch."""


def follow_starter() -> None:
    """End this process when the one that started it is gone.

    For a rank: torchrun hands its own standard input on, which a batch system has ended from the
    beginning, and killed by SIGKILL it leaves its processes behind.
    """
    starter = psutil.Process(os.getppid())

    def watch() -> None:
        # The second on a Unix, where a process that nobody waited for still counts as there.
        while starter.is_running() and os.getppid() == starter.pid:
            time.sleep(STARTER_SECONDS)
        os._exit(ORPHANED)

    threading.Thread(target=watch, daemon=True).start()
