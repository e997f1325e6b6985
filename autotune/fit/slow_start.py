"""A worker that a busy computer keeps from starting: that is no matter of size, so it gets time."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from autotune.base.format import duration
from autotune.launch import JobResult
from autotune.launch.worker_errors import worker_error
from autotune.protocol.failure import Failure
from autotune.run.setup import SILENCE_SECONDS

STARTING = ("start", "loading")
"""The phases of a worker that loads its libraries, and then the model."""


class Work(Protocol):
    """Does a job, and ends it where it is silent for so long."""

    def __call__(self, *, silence_seconds: float) -> JobResult:
        """Do it once."""


def with_time_to_start(
    work: Work, silence_seconds: float, what: str, folder: Path, warn: Callable[[str], None]
) -> JobResult:
    """The result of a job that may be silent for so long, and for longer until it has started.

    Args:
        work: does the job.
        silence_seconds: of the first try.
        what: the job, for what is said of it.
        folder: the job's.
        warn: is told, before the second try, what happened.

    Raises:
        EnvironmentFault: it does not start in the longer time either.
    """
    result = work(silence_seconds=silence_seconds)
    if not held_up(result):
        return result
    warn(
        f"{what}: its worker did not start within {silence_seconds:.0f} s, as on a computer that is"
        " busy with other work; this is no matter of memory. Trying it again, with"
        f" {duration(SILENCE_SECONDS)} to start"
    )
    result = work(silence_seconds=max(silence_seconds, SILENCE_SECONDS))
    if held_up(result):
        raise worker_error(result, what, folder)
    return result


def held_up(result: JobResult) -> bool:
    """Whether a worker was ended before it began to compute."""
    return result.failure is Failure.TIMED_OUT and result.phase in STARTING
