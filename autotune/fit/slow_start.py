"""A worker that a busy computer keeps from starting: that is no matter of size, so it gets time."""

from collections.abc import Callable

from autotune.base.format import duration
from autotune.launch import JobResult
from autotune.protocol.failure import Failure
from autotune.run.setup import SILENCE_SECONDS

STARTING = ("start", "loading")
"""The phases of a worker that loads its libraries, and then the model."""


def held_up(result: JobResult) -> bool:
    """Whether a worker was ended before it began to compute."""
    return result.failure is Failure.TIMED_OUT and result.phase in STARTING


def with_time_to_start(
    work: Callable[[float], JobResult], silence_seconds: float, say_again: Callable[[str], None]
) -> JobResult:
    """The result of a job that may be silent for so long, and for longer until it has started.

    Args:
        work: does the job, and ends it where it is silent for the seconds that it is given.
        silence_seconds: of the first try.
        say_again: is told, before the second one, what happened.
    """
    result = work(silence_seconds)
    if not held_up(result):
        return result
    say_again(
        f"its worker did not start within {silence_seconds:.0f} s, as on a computer that is busy"
        " with other work; this is no matter of memory. Trying it again, with"
        f" {duration(SILENCE_SECONDS)} to start"
    )
    return work(max(silence_seconds, SILENCE_SECONDS))
