"""One line for the person about something that may take a while."""

from collections.abc import Callable

Say = Callable[[str], None]
"""Receives the line."""


def say_nothing(line: str) -> None:
    """A `Say` that drops the line."""
