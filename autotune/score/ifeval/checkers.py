"""One instruction's check of a text, deterministic, offline and in linear time.

The published checkers are used as they are where they are all three. The others are replaced one
by one below; each replacement says what it changes. On IFEval's own prompts the changes are in no
verdict but those that were random.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from autotune.score.ifeval.instructions import INSTRUCTIONS, Argument, ArgumentFault, nearest
from autotune.score.ifeval.linear import (
    count_bullets,
    count_placeholders,
    has_postscript,
    has_title,
)
from autotune.score.ifeval.reference import reference_checkers
from autotune.score.ifeval.words import (
    count_capital_words,
    count_sentences,
    count_words,
    detect_language,
)

Check = Callable[[str], bool]
"""Whether a text follows the instruction; may raise on a text it cannot deal with."""

MAX_NESTING = 500
"""Deepest JSON that is parsed. Python's own limit depends on the depth of the calling code."""


def build_check(instruction: str, kwargs: Mapping[str, Argument]) -> Check:
    """The check of one instruction with arguments as `read_arguments` gives them.

    Raises:
        EnvironmentFault: the published checkers are not installed.
        ArgumentFault: an unknown instruction.
    """
    if instruction not in INSTRUCTIONS:
        raise ArgumentFault(f"unknown instruction id {instruction!r}{nearest(instruction)}")
    own = _OWN.get(instruction)
    return own(kwargs) if own is not None else _published(instruction, kwargs)


def _published(instruction: str, kwargs: Mapping[str, Argument]) -> Check:
    checker = reference_checkers()[instruction](instruction)
    checker.build_description(**_literal(kwargs))
    return lambda text: bool(checker.check_following(text))


def _literal(kwargs: Mapping[str, Argument]) -> dict[str, Any]:
    """Arguments for the published checkers, keywords escaped.

    They use keywords as patterns: `C++` would be an error and `(a+)+$` would never end.
    """
    escaped: dict[str, Any] = dict(kwargs)
    for name in ("keyword", "section_spliter"):
        if name in kwargs:
            escaped[name] = re.escape(str(kwargs[name]).strip())
    for name in ("keywords", "forbidden_words"):
        words = kwargs.get(name)
        if isinstance(words, tuple):
            escaped[name] = [re.escape(word) for word in words]
    return escaped


def _compare(count: int, relation: Argument, limit: Argument) -> bool:
    if not isinstance(limit, int):
        raise TypeError(f"{limit!r} is no count")
    return count < limit if relation == "less than" else count >= limit


def _letter_frequency(kwargs: Mapping[str, Argument]) -> Check:
    # The published checker draws a letter at random where the asked one is not a to z.
    letter = str(kwargs["letter"]).lower()
    relation, limit = kwargs["let_relation"], kwargs["let_frequency"]
    return lambda text: _compare(text.lower().count(letter), relation, limit)


def _response_language(kwargs: Mapping[str, Argument]) -> Check:
    language = kwargs["language"]
    return lambda text: detect_language(text) in (language, None)


def _english_capital(kwargs: Mapping[str, Argument]) -> Check:
    return lambda text: text.isupper() and detect_language(text) in ("en", None)


def _english_lowercase(kwargs: Mapping[str, Argument]) -> Check:
    return lambda text: text.islower() and detect_language(text) in ("en", None)


def _number_sentences(kwargs: Mapping[str, Argument]) -> Check:
    # The published checker loads NLTK's data at score time.
    relation, limit = kwargs["relation"], kwargs["num_sentences"]
    return lambda text: _compare(count_sentences(text), relation, limit)


def _number_words(kwargs: Mapping[str, Argument]) -> Check:
    # Newer NLTK counts with another regular-expression engine, to which a letter with a combining
    # mark (Hindi, Thai) is one word and not two; the published figures are from Python's own.
    relation, limit = kwargs["relation"], kwargs["num_words"]
    return lambda text: _compare(count_words(text), relation, limit)


def _capital_word_frequency(kwargs: Mapping[str, Argument]) -> Check:
    # NLTK's data again.
    relation, limit = kwargs["capital_relation"], kwargs["capital_frequency"]
    return lambda text: _compare(count_capital_words(text), relation, limit)


def _number_bullet_lists(kwargs: Mapping[str, Argument]) -> Check:
    return lambda text: count_bullets(text) == kwargs["num_bullets"]


def _number_placeholders(kwargs: Mapping[str, Argument]) -> Check:
    return lambda text: _compare(count_placeholders(text), "at least", kwargs["num_placeholders"])


def _postscript(kwargs: Mapping[str, Argument]) -> Check:
    marker = str(kwargs["postscript_marker"])
    return lambda text: has_postscript(text, marker)


def _title(kwargs: Mapping[str, Argument]) -> Check:
    return has_title


def _json_format(kwargs: Mapping[str, Argument]) -> Check:
    published = _published("detectable_format:json_format", {})

    def check(text: str) -> bool:
        if nesting(text) > MAX_NESTING:
            raise ValueError(f"JSON nested deeper than {MAX_NESTING}")
        return published(text)

    return check


def nesting(text: str) -> int:
    """How deep the brackets outside strings are nested."""
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return 0
    depth = deepest = 0
    inside = skip = False
    for character in text:
        if skip:
            skip = False
        elif inside:
            skip = character == "\\"
            inside = character != '"'
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


_OWN: dict[str, Callable[[Mapping[str, Argument]], Check]] = {
    "change_case:capital_word_frequency": _capital_word_frequency,
    "change_case:english_capital": _english_capital,
    "change_case:english_lowercase": _english_lowercase,
    "detectable_content:number_placeholders": _number_placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:json_format": _json_format,
    "detectable_format:number_bullet_lists": _number_bullet_lists,
    "detectable_format:title": _title,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": _response_language,
    "length_constraints:number_sentences": _number_sentences,
    "length_constraints:number_words": _number_words,
}
