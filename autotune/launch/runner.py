"""The runner port: a job goes in, events come out, and how it ended is reported.

A worker may die, hang, or outgrow its memory at any moment: each of these is a `JobResult`, not an
exception.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from autotune.protocol.events import Failed, WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import Job

OnEvent = Callable[[WorkerEvent], None]


@dataclass(frozen=True, slots=True)
class JobResult:
    """What became of a job: done where `failure` is None.

    `reason` is one line for a person, `failed` what the worker said itself: None where it died
    without a word. `killed`: another program ended it, and `free_bytes`, the computer's least
    memory that was free meanwhile, says that it was not for memory; None where nobody looked.
    """

    failure: Failure | None
    reason: str
    seconds: float
    phase: str = ""
    failed: Failed | None = None
    peak_bytes: int = 0
    killed: bool = False
    free_bytes: int | None = None

    @property
    def words(self) -> str:
        """How it ended, for a person: `done`, `out of memory`, `crashed`."""
        return "done" if self.failure is None else self.failure.words

    @property
    def died(self) -> bool:
        """Whether the worker was gone without a word: it did not say why, and we did not end it."""
        return self.failed is None and self.failure in (Failure.CRASHED, Failure.HOST_MEMORY)


class TrialRunner(Protocol):
    """Runs one job to its end, handing on every event as it comes."""

    def run(
        self,
        job: Job,
        folder: Path,
        on_event: OnEvent,
        *,
        silence_seconds: float,
    ) -> JobResult:
        """Run `job`, with its files in `folder`.

        A worker that says nothing for `silence_seconds` is hung and is killed. One whose resident
        memory passes the limit of its job's device is killed before the machine begins to swap.
        """
        ...

    def warm(self) -> "AbstractContextManager[WarmRunner]":
        """A runner whose jobs share one process, which ends with the context."""
        ...


class WarmRunner(Protocol):
    """Runs jobs one after another in one process, and in a new one after any that failed."""

    def run(
        self,
        job: Job,
        folder: Path,
        on_event: OnEvent,
        *,
        silence_seconds: float,
    ) -> JobResult:
        """As `TrialRunner.run`."""
        ...

    def renew(self) -> None:
        """End the process; the next job gets another."""
        ...
