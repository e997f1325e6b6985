"""Where a text may fold on a narrow page: between figures, in long names, not within an option."""

import re

_BETWEEN_FIGURES = re.compile(r"(?<=,) | (?=\[)")
_WHOLE = re.compile(
    r"(\d+(?:\.\d+)? (?:%|GiB|MiB)|\[[\d.]+-[\d.]+\]|\d+(?:\.\d+)?e-\d+"
    r"|\d{4}-\d\d-\d\d|(?<![\w-])--[a-z][\w-]*|smolsft-autotune)"
)
_IN_NAMES = re.compile(r"(?<=[A-Za-z][:_])")


def figures(cell: str) -> list[str]:
    """`6/24 25.0 % [12-45]` in two parts, a list of losses one by one; a size stays whole."""
    return _BETWEEN_FIGURES.split(cell)


def name_parts(cell: str) -> list[str]:
    """`detectable_format:title` in parts that together are the name again; `11:50` is one."""
    return _IN_NAMES.split(cell)


def wholes(text: str) -> list[str]:
    """A sentence in parts, of which every second does not fold.

    A percentage, a size, an interval, a date, a rate (`4e-5`), an option, the program.
    """
    return _WHOLE.split(text)
