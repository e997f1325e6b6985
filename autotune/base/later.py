"""Rows of a table that name what they stand for: its module is loaded when it is called."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def later(place: str) -> Callable[..., Any]:
    """What stands at `module:name`, called like it.

    So a table of names can be read for a `--help`, which loads nothing that takes time.

    Example:
        `later("decimal:Decimal")("1.5")` loads `decimal` and gives `Decimal("1.5")`.
    """
    module, _, name = place.partition(":")

    def call(*given: Any, **named: Any) -> Any:
        return getattr(import_module(module), name)(*given, **named)

    return call
