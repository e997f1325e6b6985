"""Lines for a terminal: broken between words, never inside a word or a command to be copied."""

import re
from collections.abc import Iterator

from rich.cells import cell_len

from autotune.cli.help import ORDER
from autotune.cli.usage import PROGRAM

LONGEST_LEAD = 6
"""Columns of what leads to a command, such as `next:`: it has no line of its own."""

BELOW = 2
"""Columns before a text that stands below its label."""

_QUOTED = r"""(?:'[^']*'|"[^"]*"|[^;()'"])"""
_COMMAND = re.compile(
    rf"(?<!\S)(?:{PROGRAM} (?:{'|'.join(ORDER)}|--\w+)\b|\S*python\S* -m )(?:{_QUOTED})*"
)
"""A command to the end of its line, or up to what follows it in a sentence."""


def wrapped(text: str, columns: int, indent: str | None = None) -> list[str]:
    """The text in lines of at most `columns`, those after the first behind `indent`.

    A word or a command that is longer than a line has one of its own, which the terminal breaks
    where it ends: it can be copied as a whole then. Without `indent` lines keep the first one's.
    """
    if cell_len(text) <= columns:
        return [text]
    own = text[: len(text) - len(text.lstrip())]
    indent = own if indent is None else indent
    lines: list[str] = []
    line, begun = own, False
    for unit in _units(text):
        space = " " if begun else ""
        leads = cell_len(line.strip()) <= LONGEST_LEAD and cell_len(indent + unit) > columns
        if begun and not leads and cell_len(line) + len(space) + cell_len(unit) > columns:
            lines.append(line)
            line, space = indent, ""
        line, begun = f"{line}{space}{unit}", True
    return [*lines, line]


def text_column(columns: int, begin: int, narrowest: int) -> int:
    """Where a text beside a label begins: at `begin`; below it where that leaves too little."""
    return begin if columns - begin >= narrowest else BELOW


def labelled(label: str, text: str, columns: int, at: int) -> Iterator[str]:
    """A label, which may be filled up with spaces, and a text that begins `at` a column."""
    first, *others = wrapped(text, columns - at)
    if at == BELOW:
        yield label.rstrip()
        yield " " * at + first
    else:
        yield f"{label:<{at}}{first}"
    yield from (" " * at + line for line in others)


def _units(text: str) -> Iterator[str]:
    """Words, and commands as one word each."""
    at = 0
    for found in _COMMAND.finditer(text):
        yield from text[at : found.start()].split()
        # What a sentence puts after it stays with it: a bracket or a semicolon begins no line.
        yield found.group().rstrip() + _closing(text, found.end())
        at = found.end() + len(_closing(text, found.end()))
    yield from text[at:].split()


def _closing(text: str, at: int) -> str:
    return text[at : at + 1] if text[at : at + 1] in (";", ")") else ""
