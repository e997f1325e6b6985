"""Where a cell of a table may fold on a narrow page: between its figures, and within long names."""

import re

_BETWEEN_FIGURES = re.compile(r"(?<=,) | (?=\[)|(?<=/\d) |(?<=/\d\d) |(?<=/\d\d\d) |(?<=/\d{4}) ")
_PERCENT = re.compile(r"(\d+(?:\.\d+)? %)")
_IN_NAMES = re.compile(r"(?<=[:_])")


def figures(cell: str) -> list[str]:
    """`6/24 25.0 % [12-45]` in three parts, a list of losses one by one; a size stays whole."""
    return _BETWEEN_FIGURES.split(cell)


def name_parts(cell: str) -> list[str]:
    """`detectable_format:title` in parts that together are the name again."""
    return _IN_NAMES.split(cell)


def percents(cell: str) -> list[str]:
    """A sentence in parts, of which every second is a percentage, which does not fold."""
    return _PERCENT.split(cell)
