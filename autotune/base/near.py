"""The name that was probably meant by one that is not known."""

import difflib
from collections.abc import Collection, Iterable

NEAR = 0.7
"""How alike (0..1) a word must be to a name that is suggested for it."""


def near_name(typed: str, known: Iterable[str]) -> str | None:
    """The name of `known` that is spelled nearly so, in any case; None where none is near.

    Letters in the wrong order come first: of a short word, `tyo`, they leave less alike than
    `NEAR`.
    """
    names = {name.lower(): name for name in known}
    word = typed.lower()
    swapped = [name for name in names if sorted(name) == sorted(word)]
    near = swapped or difflib.get_close_matches(word, names, n=1, cutoff=NEAR)
    return names[near[0]] if near else None


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """`; did you mean toy?` for the end of a refusal; empty where no name is near."""
    near = near_name(typed, known)
    return f"; did you mean {near}?" if near else ""


def near_or_known(typed: str, known: Collection[str]) -> str:
    """`did you mean toy?`, or all that are known where no name is near."""
    near = near_name(typed, known)
    return f"did you mean {near}?" if near else f"known are {', '.join(known)}"
