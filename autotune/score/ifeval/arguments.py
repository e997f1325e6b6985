"""The arguments of IFEval's instructions: what each must be, and how it is read.

Every argument is required: a checker that lacks one would draw it at random, and the same answer
would pass today and fail tomorrow.
"""

from collections.abc import Callable, Mapping
from typing import Any

from autotune.score.jsonl import shape
from autotune.score.prompts import PromptFault

Argument = str | int | tuple[str, ...]
"""A value of an instruction's argument."""

Arguments = Mapping[str, Argument]
"""The arguments of one instruction, by name."""

Reader = Callable[[Any], Argument]
"""Checks one value, or raises ArgumentFault."""

_CODES = (
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr"
    " ne nl no pa pl pt ro ru sk sl so sq sv sw ta te th tl tr uk ur vi zh-cn zh-tw"
)
LANGUAGES = frozenset(_CODES.split())
"""Codes (ISO 639-1, Chinese by script) of the languages that langdetect distinguishes."""

RELATIONS = ("less than", "at least")


class ArgumentFault(PromptFault):
    """Why an instruction's arguments cannot be used, in words."""


def a_count(value: Any) -> int:
    """A whole number from 0 on. Tables exported through a float column write 3 as 3.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ArgumentFault(f"must be a whole number from 0 on, not {_show(value)}")
    return value


def an_ordinal(value: Any) -> int:
    """A whole number from 1 on."""
    number = a_count(value)
    if number == 0:
        raise ArgumentFault("must be a whole number from 1 on, not 0")
    return number


def a_text(value: Any) -> str:
    """A text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise ArgumentFault(f"must be a text that is not blank, not {_show(value)}")
    return value


def some_texts(value: Any) -> tuple[str, ...]:
    """A list of texts, not empty."""
    if not isinstance(value, list | tuple) or not value:
        raise ArgumentFault(f"must be a list of texts, not {_show(value)}")
    return tuple(a_text(item) for item in value)


def a_letter(value: Any) -> str:
    """One character."""
    text = a_text(value)
    if len(text) != 1:
        raise ArgumentFault(f"must be one character, not {_show(value)}")
    return text


def a_relation(value: Any) -> str:
    """One of RELATIONS."""
    if value not in RELATIONS:
        raise ArgumentFault(f"must be 'less than' or 'at least', not {_show(value)}")
    return str(value)


def a_language(value: Any) -> str:
    """One of LANGUAGES."""
    if value not in LANGUAGES:
        raise ArgumentFault(f"must be a language code such as 'en' or 'pt', not {_show(value)}")
    return str(value)


def as_count(limit: Argument) -> int:
    """An argument that `a_count` has read.

    Raises:
        TypeError: it was read by another, or not at all.
    """
    if not isinstance(limit, int):
        raise TypeError(f"{limit!r} is no count")
    return limit


def as_texts(value: Argument) -> tuple[str, ...]:
    """An argument that `some_texts` has read."""
    return value if isinstance(value, tuple) else (str(value),)


def _show(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float) and value != "" else shape(value)
