"""The runner port: a job goes in, events come out, and how it ended is told truthfully.

A worker may die, hang, or outgrow its memory at any moment: each of these is an `Ending`, not an
exception.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from autotune.events import Failed, WorkerEvent
from autotune.job import Job
from autotune.outcome import Fault

OnEvent = Callable[[WorkerEvent], None]


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
    """The end of a job: `reason` is one line for a person, `failed` what the worker said itself.

    `exit_fault` is what the exit code tells of one that died without a word. `killed`: another
    program ended it, and `free_bytes`, the computer's least memory that was free meanwhile, says
    that it was not for memory; None where nobody looked.
    """

    how: How
    reason: str
    seconds: float
    phase: str = ""
    failed: Failed | None = None
    peak_bytes: int = 0
    exit_fault: Fault | None = None
    killed: bool = False
    free_bytes: int | None = None

    @property
    def fault(self) -> Fault | None:
        """What kind of failure it was, by the worker's own word or else by its exit code."""
        return self.failed.fault if self.failed is not None else self.exit_fault


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
        resident_limit_bytes: int | None = None,
    ) -> Ending:
        """As `TrialRunner.run`."""
        ...

    def renew(self) -> None:
        """End the process; the next job gets another."""
        ...
