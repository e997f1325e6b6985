"""Foreign errors, translated once: what kind of failure was it?

By type first, then by the CUDA runtime's number where torch hands it on, then by text
(`autotune.base.error_texts`). A text counts for the types that it was seen with, so a `ValueError`
that merely quotes "out of memory" is not taken for one.
"""

from autotune.base.error_texts import COMPUTER_FULL, Meaning, known
from autotune.protocol.failure import Failure
from autotune.worker.faults import JobFault

_WHILE_COMPUTING = (
    Meaning.POISONED,
    Meaning.COMPUTER,
    Meaning.REFUSED,
    Meaning.ALLOCATOR,
    Meaning.SUSPECTED,
)

_FAULTS = {
    Meaning.POISONED: Failure.POISONED,
    Meaning.REFUSED: Failure.OUT_OF_MEMORY,
    Meaning.ALLOCATOR: Failure.OUT_OF_MEMORY,
    Meaning.SUSPECTED: Failure.SUSPECTED,
}


def classify(error: BaseException, *, on_card: bool = False) -> Failure:
    """The fault behind an exception raised while a worker computed.

    `on_card` is whether it computes on a card. Beside one a lack of the computer's memory is a
    failure of its own: a smaller micro-batch would spare the card's. On a CPU it is what the budget
    is about.
    """
    if isinstance(error, JobFault):
        return error.failure
    host = Failure.HOST_MEMORY if on_card else Failure.OUT_OF_MEMORY
    if isinstance(error, MemoryError):
        return host
    kinds = _kinds(error)
    if "OutOfMemoryError" in kinds:
        return Failure.OUT_OF_MEMORY
    code = getattr(error, "error_code", None)
    row = known(str(error), kinds, code if isinstance(code, int) else None, _WHILE_COMPUTING)
    if row is None:
        return Failure.OTHER
    return _FAULTS.get(row.meaning, host)


def loading_fault(library: str, error: BaseException) -> tuple[Failure, str]:
    """The fault behind an exception raised while a library was imported, and a line about it.

    The line holds the error's own words and, for those that are known, what to do.
    """
    message = " ".join(str(error).split())
    line = f"{library} cannot be loaded: {type(error).__name__}: {message}".removesuffix(": ")
    row = known(message, _kinds(error), among=(Meaning.COMPUTER, Meaning.LIBRARY))
    if isinstance(error, MemoryError) or (row is not None and row.meaning is Meaning.COMPUTER):
        return Failure.HOST_MEMORY, f"{line} ({COMPUTER_FULL})"
    remedy = row.remedy if row is not None else f"install {library} again in a fresh environment"
    return Failure.LIBRARY, f"{line} ({remedy})"


def _kinds(error: BaseException) -> frozenset[str]:
    """Names of its type and of all that it derives from.

    A call that torch put off until the card is opened fails with an error of its own, which quotes
    the RuntimeError that came out of it.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    return frozenset(names | ({"RuntimeError"} if "DeferredCudaCallError" in names else set()))
