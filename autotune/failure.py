"""What kind of failure ends a job: one word from the worker to the verdict made of it."""

from enum import StrEnum


class Failure(StrEnum):
    """Why a job did not come to its end: one word from the worker's event to verdict and sentence.

    OUT_OF_MEMORY is a lack of the memory that the budget is about: the card's, or on a CPU the
    computer's. HOST_MEMORY is a lack of the computer's beside a card, which no shorter row mends,
    and what an exit code says, as a rule, of a worker that died without a word.
    SUSPECTED may be for memory and may not. POISONED: the process has lost its device.
    LIBRARY: torch or transformers cannot be loaded, so nothing can be computed here.

    The last three no worker says itself: the parent ended one that passed its memory limit, or one
    that was silent for too long; or it died without a word.
    """

    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    HOST_MEMORY = "HOST_MEMORY"
    SUSPECTED = "SUSPECTED"
    POISONED = "POISONED"
    NUMERIC = "NUMERIC"
    DISK = "DISK"
    BAD_JOB = "BAD_JOB"
    LIBRARY = "LIBRARY"
    OTHER = "OTHER"
    OVER_BUDGET = "OVER_BUDGET"
    TIMED_OUT = "TIMED_OUT"
    CRASHED = "CRASHED"

    @property
    def words(self) -> str:
        """For a person; what only the reason beside it can tell apart is `crashed`."""
        return _WORDS.get(self, "crashed")


_WORDS = {
    Failure.OUT_OF_MEMORY: "out of memory",
    Failure.OVER_BUDGET: "over budget",
    Failure.BAD_JOB: "bad job",
    Failure.TIMED_OUT: "timed out",
}
