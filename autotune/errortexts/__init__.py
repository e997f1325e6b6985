"""Texts of foreign errors and what each means, kept as data: the files beside this one.

A row holds the words by which a text is known, one text in full as somebody met it, where that was,
and, where the words leave a person at a loss, what they mean and what to do.
"""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

FILES = ("device.toml", "memory.toml", "libraries.toml", "card.toml")


class Meaning(StrEnum):
    """What an error says, in the order in which it is believed where a text says several.

    A broken device comes first: it may speak of memory, but says nothing about size. What names the
    computer's memory is not taken for the card's, and a mere suspicion comes after all of them.
    """

    POISONED = "poisoned"
    """The process has lost its device: each further call fails, whatever it asks."""
    COMPUTER = "computer"
    """The computer's memory is full, or what the system will promise of it."""
    REFUSED = "refused"
    """The driver or a library of NVIDIA's was refused memory: the card's, as a rule."""
    ALLOCATOR = "allocator"
    """torch's own allocator found no room within its limit."""
    SUSPECTED = "suspected"
    """An error that a full card raises among other things."""
    LIBRARY = "library"
    """torch, or what it is linked with, cannot be loaded."""
    DRIVER = "driver"
    """The driver is older than this torch needs."""
    NO_CODE = "no_code"
    """This torch has no code for the card."""
    CARD = "card"
    """The card does not start for another reason."""


@dataclass(frozen=True, slots=True)
class ErrorText:
    """One row: `mark` in lower case is looked for in texts of `error` and of what derives from it.

    `code` is the CUDA runtime's number (`cudaError_t`), where torch hands it on. `remedy` is for an
    error in the middle of work, `at_start` for one of a card that is tried before any.
    """

    mark: str
    meaning: Meaning
    error: str
    text: str
    source: str
    code: int | None = None
    remedy: str = ""
    at_start: str = ""


@cache
def table() -> tuple[ErrorText, ...]:
    """Every row, the meanings that are believed first at the front."""
    order = {meaning: at for at, meaning in enumerate(Meaning)}
    rows = [
        ErrorText(**{**row, "meaning": Meaning(row["meaning"])})
        for name in FILES
        for row in tomllib.loads(files(__name__).joinpath(name).read_text(encoding="utf-8"))["row"]
    ]
    return tuple(sorted(rows, key=lambda row: order[row.meaning]))


def known(
    text: str,
    kinds: Collection[str] | None = None,
    code: int | None = None,
    among: Collection[Meaning] = tuple(Meaning),
) -> ErrorText | None:
    """The row that an error belongs to, None where there is none.

    Args:
        text: what it says.
        kinds: names of its type and of those that this derives from; None where only the text is
            left, as in a record of what a worker said.
        code: the CUDA runtime's number, if the error has one.
        among: the meanings that come into question.
    """
    words = text.lower()
    for row in table():
        if row.meaning not in among or (kinds is not None and row.error not in kinds):
            continue
        if row.mark in words or (code is not None and row.code == code):
            return row
    return None


COMPUTER_FULL = (
    "the computer's memory is full, not the card's: close other programs, or give the system a"
    " larger page file or swap"
)
"""What to do where an error names the computer's memory. On Windows the page file counts: what the
system promises in all is memory and page file together."""

CARD_FULL = "close the other programs that fill its memory"
"""What to do where a card has no room for anything, before any work."""


def lacks_memory(error: BaseException) -> bool:
    """Whether it is the computer's memory that is short, of this process or of one it starts.

    The system's number tells, whatever its language says: POSIX' `errno`, Windows' `winerror`.
    """
    if not isinstance(error, OSError):
        return isinstance(error, MemoryError)
    numbers = f"[Errno {error.errno}] [WinError {getattr(error, 'winerror', None)}]"
    return known(numbers, ("OSError",), among=(Meaning.COMPUTER,)) is not None


def remedy_at_start(row: ErrorText | None) -> str:
    """What to do about a card that cannot be used, "" where the table does not say."""
    if row is None:
        return ""
    full = row.meaning in (Meaning.REFUSED, Meaning.ALLOCATOR)
    return CARD_FULL if full else row.at_start
