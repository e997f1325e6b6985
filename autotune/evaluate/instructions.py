"""The 25 kinds of instruction that IFEval verifies, and the arguments each of them needs.

Every argument is required: a checker that lacks one would draw it at random, and the same answer
would pass today and fail tomorrow.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from autotune.evaluate.jsonl import shape
from autotune.evaluate.prompts import PromptFault

Argument = str | int | tuple[str, ...]
"""A value of an instruction's argument."""

_CODES = (
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr"
    " ne nl no pa pl pt ro ru sk sl so sq sv sw ta te th tl tr uk ur vi zh-cn zh-tw"
)
LANGUAGES = frozenset(_CODES.split())
"""Codes (ISO 639-1, Chinese by script) of the languages that langdetect tells apart."""

RELATIONS = ("less than", "at least")


class ArgumentFault(PromptFault):
    """Why an instruction's arguments cannot be used, in words."""


def _count(value: Any) -> int:
    # Tables exported through a float column write 3 as 3.0.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ArgumentFault(f"must be a whole number from 0 on, not {_show(value)}")
    return value


def _ordinal(value: Any) -> int:
    number = _count(value)
    if number == 0:
        raise ArgumentFault("must be a whole number from 1 on, not 0")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ArgumentFault(f"must be a text that is not blank, not {_show(value)}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ArgumentFault(f"must be a list of texts, not {_show(value)}")
    return tuple(_text(item) for item in value)


def _letter(value: Any) -> str:
    text = _text(value)
    if len(text) != 1:
        raise ArgumentFault(f"must be one character, not {_show(value)}")
    return text


def _relation(value: Any) -> str:
    if value not in RELATIONS:
        raise ArgumentFault(f"must be 'less than' or 'at least', not {_show(value)}")
    return str(value)


def _language(value: Any) -> str:
    if value not in LANGUAGES:
        raise ArgumentFault(f"must be a language code such as 'en' or 'pt', not {_show(value)}")
    return str(value)


def _show(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float) and value != "" else shape(value)


Reader = Callable[[Any], Argument]

_NOTHING: Mapping[str, Reader] = MappingProxyType({})

Instructions = Mapping[str, Mapping[str, Reader]]
"""Instruction id -> its arguments, each with the reader that checks one value."""

INSTRUCTIONS: Instructions = MappingProxyType(
    {
        "change_case:capital_word_frequency": {
            "capital_frequency": _count,
            "capital_relation": _relation,
        },
        "change_case:english_capital": _NOTHING,
        "change_case:english_lowercase": _NOTHING,
        "combination:repeat_prompt": {"prompt_to_repeat": _text},
        "combination:two_responses": _NOTHING,
        "detectable_content:number_placeholders": {"num_placeholders": _count},
        "detectable_content:postscript": {"postscript_marker": _text},
        "detectable_format:constrained_response": _NOTHING,
        "detectable_format:json_format": _NOTHING,
        "detectable_format:multiple_sections": {"section_spliter": _text, "num_sections": _count},
        "detectable_format:number_bullet_lists": {"num_bullets": _count},
        "detectable_format:number_highlighted_sections": {"num_highlights": _count},
        "detectable_format:title": _NOTHING,
        "keywords:existence": {"keywords": _texts},
        "keywords:forbidden_words": {"forbidden_words": _texts},
        "keywords:frequency": {"keyword": _text, "frequency": _count, "relation": _relation},
        "keywords:letter_frequency": {
            "letter": _letter,
            "let_frequency": _count,
            "let_relation": _relation,
        },
        "language:response_language": {"language": _language},
        "length_constraints:nth_paragraph_first_word": {
            "num_paragraphs": _ordinal,
            "nth_paragraph": _ordinal,
            "first_word": _text,
        },
        "length_constraints:number_paragraphs": {"num_paragraphs": _count},
        "length_constraints:number_sentences": {"num_sentences": _count, "relation": _relation},
        "length_constraints:number_words": {"num_words": _count, "relation": _relation},
        "punctuation:no_comma": _NOTHING,
        "startend:end_checker": {"end_phrase": _text},
        "startend:quotation": _NOTHING,
    }
)
"""Those of IFEval."""


def read_arguments(
    instruction: str, given: Mapping[str, Any], known: Instructions = INSTRUCTIONS
) -> dict[str, Argument]:
    """The checked arguments of one instruction; arguments that are None count as not given.

    `known` are the instructions of the scorer that will judge.

    Raises:
        ArgumentFault: an unknown instruction or argument, one that lacks, or a wrong value.
    """
    if instruction not in known:
        raise ArgumentFault(f"unknown instruction id {instruction!r}{nearest(instruction, known)}")
    readers = known[instruction]
    arguments: dict[str, Argument] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name not in readers:
            raise ArgumentFault(_unknown(instruction, name, list(readers)))
        try:
            arguments[name] = readers[name](value)
        except ArgumentFault as fault:
            raise ArgumentFault(f"{name} of {instruction} {fault}") from None
    missing = [name for name in readers if name not in arguments]
    if missing:
        raise ArgumentFault(f"{instruction} lacks {missing[0]}; without it no verdict is possible")
    nth, paragraphs = arguments.get("nth_paragraph"), arguments.get("num_paragraphs")
    if isinstance(nth, int) and isinstance(paragraphs, int) and nth > paragraphs:
        raise ArgumentFault(
            f"nth_paragraph of {instruction} is {nth}: must be at most num_paragraphs, {paragraphs}"
        )
    return arguments


def nearest(instruction: str, among: Instructions = INSTRUCTIONS) -> str:
    """`; the nearest known is ...`: also found when only the half after the colon is right."""
    known = sorted(among)
    same_end = [name for name in known if name.split(":")[-1] == instruction.split(":")[-1]]
    close = same_end or get_close_matches(instruction, known, n=1, cutoff=0.0)
    return f"; the nearest known is {close[0]!r}"


def _unknown(instruction: str, name: str, known: list[str]) -> str:
    if not known:
        return f"{instruction} takes no arguments, not {name!r}"
    close = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"{instruction} has no argument {name!r}; the nearest known is {close[0]!r}"
