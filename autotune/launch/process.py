"""One worker process and the thread that reads it: start it, follow a job, end it."""

import contextlib
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import psutil
from pydantic import ValidationError

from autotune.base.files import write_text_atomic
from autotune.base.sizes import show_size
from autotune.launch.clock import PAUSE_SECONDS, WAKING_SECONDS, running_seconds
from autotune.launch.environment import worker_environment
from autotune.launch.host_memory import SHORT_MEMORY_SHARE, memory_left
from autotune.launch.runner import JobResult, OnEvent
from autotune.protocol import exit_codes
from autotune.protocol.events import WORKER_EVENT, Failed, Finished, Phase, Slept
from autotune.protocol.failure import Failure
from autotune.protocol.job import Job, as_written

_POLL_SECONDS = 0.1
_EXIT_SECONDS = 5.0

FAMILY_SECONDS = 1.0
"""How often a worker's children are looked for; a launcher's child is there within moments."""

NEAR_LIMIT_SHARE = 0.75
"""Share of its own limit from which on a worker that is killed may have been for memory."""


class WorkerProcess:
    """A worker that was started with its first job. `stays` keeps it for further ones.

    A worker that stays says `Finished` after a job and takes the path of the next job file as a
    line on its standard input; it ends when that is closed. `clock` continues in sleep.
    """

    def __init__(
        self,
        command: Sequence[str],
        job: Job,
        folder: Path,
        *,
        stays: bool,
        clock: Callable[[], float] = running_seconds,
    ) -> None:
        self.clock = clock
        self.begin = clock()
        self.job = job
        path = write_job(job, folder)
        with (folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(path), *(["--stay"] if stays else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=worker_environment(),
            )
        assert self.process.stdout is not None
        # Not a `Queue`: an interrupt that meets its `get` at its lock ends in a RuntimeError.
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.reader = threading.Thread(
            target=_pump, args=(self.process.stdout, self.lines), daemon=True
        )
        self.reader.start()
        self.alive = True

    def give(self, job: Job, folder: Path) -> None:
        """Hand over a further job; a worker that is gone meanwhile shows when it is followed."""
        self.begin = self.clock()
        self.job = job
        path = write_job(job, folder)
        stdin = self.process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.write(f"{path}\n".encode())
            stdin.flush()

    def follow(self, on_event: OnEvent, silence_seconds: float) -> JobResult:
        """Hand on events until the job is finished or the process is; say how it ended."""
        limit = self.job.device.resident_limit_bytes
        watch = _Watch(self.process, silence_seconds, limit, self.clock)
        finished = watch.follow(self.lines, on_event)
        if not finished:
            self.alive = False
            self.process.wait()
            self.reader.join()
        code = None if finished else self.process.returncode
        return watch.result(code, self.clock() - self.begin - watch.slept_seconds)

    def end(self) -> None:
        """No worker outlives its reader: let a waiting one leave, kill any other."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is not None:
            with contextlib.suppress(OSError):
                stdin.close()
        if self.alive:
            try:
                self.process.wait(_EXIT_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        elif self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        if stdout is not None:
            stdout.close()
        self.alive = False

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self.alive = False
        self.end()


def write_job(job: Job, folder: Path) -> Path:
    """The job file, in the folder where the job's log goes as well."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "job.json"
    write_text_atomic(path, as_written(job, folder).model_dump_json(indent=1))
    return path.absolute()


class _Watch:
    """Follows one job: its events, its silence and its memory."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        silence_seconds: float,
        limit: int | None,
        clock: Callable[[], float],
    ) -> None:
        self.process = process
        self.silence_seconds = silence_seconds
        self.limit = limit
        self.clock = clock
        self.slept_seconds = 0.0
        self.phase = "start"
        self.failed: Failed | None = None
        self.killed: Failure | None = None
        self.peak_bytes = 0
        self.free_bytes: int | None = None
        self.was_short = False
        self.family: list[psutil.Process] = []
        self.family_known = -FAMILY_SECONDS

    def follow(self, lines: "queue.SimpleQueue[bytes | None]", on_event: OnEvent) -> bool:
        """Hand on events; True when the job is finished, False when the process is gone."""
        now = looked = self.clock()
        silent = 0.0
        while True:
            try:
                line = lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                line = b""
            before, now = now, self.clock()
            if now - before > PAUSE_SECONDS:
                self.slept_seconds += now - before
                on_event(Slept(seconds=now - before))
            if line is None:
                return False
            if line:
                silent = 0.0
                if self._on_line(line, on_event):
                    return True
            else:
                silent += min(now - before, WAKING_SECONDS)
                if silent > self.silence_seconds:
                    self._kill(Failure.TIMED_OUT)
            # By the clock, not by the pipe: a worker that talks all the time grows as well.
            if now - looked >= _POLL_SECONDS:
                looked = now
                self._look_at_memory()
                resident = self._resident(now)
                if self.limit is not None and resident > self.limit:
                    self._kill(Failure.OVER_BUDGET)

    def _on_line(self, line: bytes, on_event: OnEvent) -> bool:
        """Take in one line and hand its event on; True if it says that the job is finished."""
        try:
            event = WORKER_EVENT.validate_json(line)
        except ValidationError:
            # A line truncated by the worker's death; its exit code explains the rest.
            return False
        if isinstance(event, Finished):
            # What was killed has not finished, though it may have said so a moment before.
            return self.killed is None
        if isinstance(event, Phase):
            self.phase = event.name
        if isinstance(event, Failed):
            self.failed = event
        on_event(event)
        return False

    def _look_at_memory(self) -> None:
        """Note what is left of the computer's memory, and whether it was ever short."""
        left, total = memory_left()
        self.free_bytes = left if self.free_bytes is None else min(self.free_bytes, left)
        self.was_short = self.was_short or left < SHORT_MEMORY_SHARE * total

    def _resident(self, now: float) -> int:
        """Resident memory of the worker now, in bytes; 0 once it is gone.

        In a virtual environment on Windows, python.exe is a launcher and the worker its child.
        Finding children means to look at every process there is, so they are looked for less often.
        """
        try:
            if now - self.family_known >= FAMILY_SECONDS:
                self.family_known = now
                started = psutil.Process(self.process.pid)
                self.family = [started, *started.children(recursive=True)]
            resident = sum(_resident_of(process) for process in self.family)
        except psutil.Error:
            return 0
        self.peak_bytes = max(self.peak_bytes, resident)
        return resident

    def _kill(self, failure: Failure) -> None:
        if self.killed is None:
            self.killed = failure
            self.process.kill()

    def result(self, code: int | None, seconds: float) -> JobResult:
        """What became of the job; `code` is None while the process is there for another.

        What we ended a worker for counts before anything that it said in its last moment.
        """

        def ended(failure: Failure | None, reason: str) -> JobResult:
            return JobResult(failure, reason, seconds, self.phase, self.failed, self.peak_bytes)

        if self.killed is Failure.OVER_BUDGET:
            limit = show_size(self.limit or 0)
            return ended(
                self.killed, f"resident memory passed the limit of {limit} during {self.phase}"
            )
        if self.killed is Failure.TIMED_OUT:
            return ended(
                self.killed, f"no sign of life for {self.silence_seconds:.0f} s in {self.phase}"
            )
        if code is None or code == 0:
            return ended(None, "")
        if self.failed is not None:
            return ended(self.failed.fault, self.failed.message)
        near = self.limit is not None and self.peak_bytes >= NEAR_LIMIT_SHARE * self.limit
        for_nothing = exit_codes.was_ended_from_outside(code) and not near and not self.was_short
        return replace(
            ended(exit_codes.failure_of(code), f"{exit_codes.exit_text(code)} during {self.phase}"),
            killed=for_nothing and self.free_bytes is not None,
            free_bytes=self.free_bytes,
        )


def _resident_of(process: psutil.Process) -> int:
    """Resident memory of one process in bytes; 0 of a child that ended since it was found."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _pump(stream: IO[bytes], lines: "queue.SimpleQueue[bytes | None]") -> None:
    """Move lines from the pipe to the queue; None marks the end."""
    for line in stream:
        lines.put(line)
    lines.put(None)
