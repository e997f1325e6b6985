"""A runner that plays a script, for tests of everything that has jobs done."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from autotune.launch.runner import JobResult, OnEvent, WarmRunner
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import Job


@dataclass
class FakeRunner:
    """Plays `script(job)` -> (events, result) instead of starting a process, and keeps the jobs.

    `renewed` counts how often a warm process was given up.
    """

    script: Callable[[Job], tuple[Iterable[WorkerEvent], JobResult]]
    jobs: list[Job] = field(default_factory=list)
    renewed: int = 0

    def run(
        self,
        job: Job,
        folder: Path,
        on_event: OnEvent,
        *,
        silence_seconds: float,
    ) -> JobResult:
        """Hand on the scripted events and return the scripted result."""
        self.jobs.append(job)
        played, result = self.script(job)
        for event in played:
            on_event(event)
        return result

    @contextmanager
    def warm(self) -> Iterator[WarmRunner]:
        """The script knows no processes: warm jobs are played like the others."""
        yield self

    def renew(self) -> None:
        """Count it."""
        self.renewed += 1
