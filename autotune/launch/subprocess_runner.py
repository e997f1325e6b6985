"""The hand that works: a process for each job, or one for several."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autotune.base.interpreter import PYTHON
from autotune.launch.clock import running_seconds
from autotune.launch.process import WorkerProcess
from autotune.launch.runner import JobResult, OnEvent, WarmRunner
from autotune.protocol.job import Job


@dataclass(frozen=True)
class SubprocessRunner:
    """A fresh process for every job. `command` is followed by the path of the job file.

    `clock` gives seconds and continues while the computer sleeps.
    """

    command: Sequence[str] = (*PYTHON, "-m", "autotune.worker")
    clock: Callable[[], float] = running_seconds

    def run(
        self,
        job: Job,
        folder: Path,
        on_event: OnEvent,
        *,
        silence_seconds: float,
    ) -> JobResult:
        """See `TrialRunner.run`. The worker's own output goes to `folder/worker.log`."""
        worker = WorkerProcess(self.command, job, folder, stays=False, clock=self.clock)
        try:
            return worker.follow(on_event, silence_seconds)
        finally:
            # Ctrl-C included: what is not at its end by now is in the middle of something.
            worker.kill()

    @contextmanager
    def warm(self) -> Iterator[WarmRunner]:
        """See `TrialRunner.warm`."""
        runner = WarmSubprocessRunner(self.command, self.clock)
        try:
            yield runner
        finally:
            runner.renew()


class WarmSubprocessRunner:
    """One process for job after job, as long as each ends well."""

    def __init__(
        self, command: Sequence[str], clock: Callable[[], float] = running_seconds
    ) -> None:
        self.command = command
        self.clock = clock
        self.worker: WorkerProcess | None = None

    def run(
        self,
        job: Job,
        folder: Path,
        on_event: OnEvent,
        *,
        silence_seconds: float,
    ) -> JobResult:
        """See `TrialRunner.run`. Each job's output goes to its own `folder/worker.log`."""
        if self.worker is None:
            self.worker = WorkerProcess(self.command, job, folder, stays=True, clock=self.clock)
        else:
            self.worker.give(job, folder)
        try:
            result = self.worker.follow(on_event, silence_seconds)
        except BaseException:
            self.worker.kill()
            self.worker = None
            raise
        if not self.worker.alive:
            self.renew()
        return result

    def renew(self) -> None:
        """End the process, if there is one."""
        if self.worker is not None:
            self.worker.end()
            self.worker = None
