"""What the keys and values of a record say, and what is noticed while one is read.

Tables of mixed records are padded: with null, with empty lists, with objects of nothing but null.
Such a value says nothing, and neither does a column that holds an empty list as text.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_QUESTION = re.compile(r"^(?:is|do|should)_")

_EMPTY = frozenset({"", "[]", "{}", "null"})
_DEEP = 3
"""How deep padding is looked for: a list of objects of an object, as a tool call is."""

_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
"""Spellings of a truth in a table of text."""


@dataclass(slots=True)
class Remarks:
    """Sentences about a record that is kept, each once; true for those that warn."""

    sentences: dict[str, bool] = field(default_factory=dict)

    def say(self, what: str, *, warning: bool = False) -> None:
        """Something a person should know of this record."""
        self.sentences.setdefault(what, warning)


@lru_cache(maxsize=4096)
def spelled(key: str) -> str:
    """A key in small letters with underscores: `toolCalls` and `Tool-Calls` are `tool_calls`.

    A verb that asks before it says nothing more: `is_train` is `train`.
    """
    small = _HUMP.sub("_", key).lower().replace("-", "_").replace(" ", "_")
    return _QUESTION.sub("", small)


def is_blank_value(value: Any, deep: int = _DEEP) -> bool:
    """Null, an empty text or container, or a container of nothing but these."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip() in _EMPTY if len(value) < 9 else not value.strip()
    if isinstance(value, (list, dict)):
        inner = value.values() if isinstance(value, dict) else value
        return not value or (deep > 0 and all(is_blank_value(v, deep - 1) for v in inner))
    return False


def truth(value: Any) -> bool | float | None:
    """True or false where a value is one, a number where it is another one, else None."""
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().lower())
    if isinstance(value, (bool, int, float)):
        return bool(value) if value in (0, 1) else float(value)
    return None
