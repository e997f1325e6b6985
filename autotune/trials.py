"""Running a job in a process of its own, and telling truthfully how it ended.

`SubprocessRunner` is the hand that works; `FakeRunner` plays a script for tests. A worker may
die, hang, or outgrow its memory at any moment: each of these is an `Ending`, not an exception.
"""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Protocol

import psutil
from pydantic import ValidationError

from autotune.events import WORKER_EVENT, Failed, Phase, WorkerEvent
from autotune.files import write_text_atomic
from autotune.job import Job
from autotune.outcome import Fault

OnEvent = Callable[[WorkerEvent], None]

_POLL_SECONDS = 0.1
_SECRET_MARKS = ("TOKEN", "SECRET", "PASSW", "_KEY", "CREDENTIAL")


class How(StrEnum):
    """How a worker ended."""

    DONE = "done"
    OUT_OF_MEMORY = "out of memory"
    OVER_BUDGET = "over budget"
    BAD_JOB = "bad job"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a worker: `reason` is one line for a person, `failed` what it said itself."""

    how: How
    reason: str
    seconds: float
    phase: str = ""
    failed: Failed | None = None
    peak_bytes: int = 0


class TrialRunner(Protocol):
    """Runs one job to its end, handing on every event as it comes."""

    def run(
        self,
        job: Job,
        folder: Path,
        on_event: OnEvent,
        *,
        silence_seconds: float,
        resident_limit_bytes: int | None = None,
    ) -> Ending:
        """Run `job`, with its files in `folder`.

        A worker that says nothing for `silence_seconds` is hung and is killed. Where
        `resident_limit_bytes` is given, a worker whose resident memory passes it is killed before
        the machine begins to swap.
        """
        ...


@dataclass(frozen=True)
class SubprocessRunner:
    """Starts a worker and reads its pipe. `command` is followed by the path of the job file."""

    command: Sequence[str] = (sys.executable, "-m", "autotune.worker")

    def run(
        self,
        job: Job,
        folder: Path,
        on_event: OnEvent,
        *,
        silence_seconds: float,
        resident_limit_bytes: int | None = None,
    ) -> Ending:
        """See `TrialRunner.run`. The worker's own output goes to `folder/worker.log`."""
        folder.mkdir(parents=True, exist_ok=True)
        job_file = folder / "job.json"
        write_text_atomic(job_file, job.model_dump_json(indent=1))
        begin = time.monotonic()
        with (folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.command, str(job_file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=worker_environment(),
            )
            try:
                watched = _Watch(process, silence_seconds, resident_limit_bytes)
                watched.follow(on_event)
            finally:
                # Whatever happened here, Ctrl-C included: no worker outlives its reader.
                if process.poll() is None:
                    process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        stream.close()
        return watched.ending(process.returncode, time.monotonic() - begin)


class _Watch:
    """Follows one worker: its events, its silence and its memory."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", silence_seconds: float, limit: int | None
    ) -> None:
        self.process = process
        self.silence_seconds = silence_seconds
        self.limit = limit
        self.phase = "start"
        self.failed: Failed | None = None
        self.killed: How | None = None
        self.peak_bytes = 0

    def follow(self, on_event: OnEvent) -> None:
        """Hand on events until the pipe closes or the worker has to be killed."""
        assert self.process.stdout is not None
        lines: queue.Queue[bytes | None] = queue.Queue()
        reader = threading.Thread(target=_pump, args=(self.process.stdout, lines), daemon=True)
        reader.start()
        heard = looked = time.monotonic()
        while True:
            try:
                line = lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                line = b""
            now = time.monotonic()
            if line is None:
                break
            if line:
                heard = now
                self._hear(line, on_event)
            elif now - heard > self.silence_seconds:
                self._kill(How.TIMED_OUT)
            # By the clock, not by the pipe: a worker that talks all the time grows as well.
            if self.limit is not None and now - looked >= _POLL_SECONDS:
                looked = now
                if self._resident() > self.limit:
                    self._kill(How.OVER_BUDGET)
        self.process.wait()
        reader.join()

    def _hear(self, line: bytes, on_event: OnEvent) -> None:
        """Take in one line and hand its event on."""
        try:
            event = WORKER_EVENT.validate_json(line)
        except ValidationError:
            # A line torn by the worker's death; its ending tells the rest.
            return
        if isinstance(event, Phase):
            self.phase = event.name
        if isinstance(event, Failed):
            self.failed = event
        on_event(event)

    def _resident(self) -> int:
        """Resident memory of the worker now, in bytes; 0 once it is gone.

        In a virtual environment on Windows, python.exe is a launcher and the worker its child.
        """
        try:
            started = psutil.Process(self.process.pid)
            family = [started, *started.children(recursive=True)]
            resident = sum(int(process.memory_info().rss) for process in family)
        except psutil.Error:
            return 0
        self.peak_bytes = max(self.peak_bytes, resident)
        return resident

    def _kill(self, how: How) -> None:
        if self.killed is None:
            self.killed = how
            self.process.kill()

    def ending(self, code: int, seconds: float) -> Ending:
        """What became of the worker."""

        def end(how: How, reason: str) -> Ending:
            return Ending(how, reason, seconds, self.phase, self.failed, self.peak_bytes)

        if self.killed is How.OVER_BUDGET:
            return end(How.OVER_BUDGET, f"resident memory passed the limit during {self.phase}")
        if self.killed is How.TIMED_OUT:
            return end(
                How.TIMED_OUT, f"no sign of life for {self.silence_seconds:.0f} s in {self.phase}"
            )
        if code == 0:
            return end(How.DONE, "")
        if self.failed is not None:
            how = {Fault.OUT_OF_MEMORY: How.OUT_OF_MEMORY, Fault.BAD_JOB: How.BAD_JOB}.get(
                self.failed.fault, How.CRASHED
            )
            return end(how, self.failed.message)
        if code in (-9, 137):
            # SIGKILL from outside is, on Linux, what the kernel does when memory runs out.
            return end(How.CRASHED, f"killed from outside (signal 9) during {self.phase}")
        return end(How.CRASHED, f"worker ended with code {code} during {self.phase}")


def _pump(stream: IO[bytes], lines: "queue.Queue[bytes | None]") -> None:
    """Move lines from the pipe to the queue; None marks the end."""
    for line in stream:
        lines.put(line)
    lines.put(None)


def worker_environment() -> dict[str, str]:
    """The environment of a worker: ours without secrets, offline, UTF-8.

    A worker reads local folders only, so it has no use for a token and none can reach its log.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not any(mark in name.upper() for mark in _SECRET_MARKS)
    }
    # Threads that wait for each other by spinning need a core each: beside any other program, a
    # step of small operations took 30 times as long. One's own setting is left alone.
    return (
        {"OMP_WAIT_POLICY": "PASSIVE"}
        | kept
        | {
            "PYTHONUTF8": "1",
            "PYTHONUNBUFFERED": "1",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "TRANSFORMERS_VERBOSITY": "error",
            # Cards in the driver's order, which is the order that `--device cuda:N` counts in.
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        }
    )


@dataclass
class FakeRunner:
    """Plays `script(job)` -> (events, ending) instead of starting a process, and keeps the jobs."""

    script: Callable[[Job], tuple[Sequence[WorkerEvent], Ending]]
    jobs: list[Job] = field(default_factory=list)

    def run(
        self,
        job: Job,
        folder: Path,
        on_event: OnEvent,
        *,
        silence_seconds: float,
        resident_limit_bytes: int | None = None,
    ) -> Ending:
        """Hand on the scripted events and return the scripted ending."""
        self.jobs.append(job)
        played, ending = self.script(job)
        for event in played:
            on_event(event)
        return ending
