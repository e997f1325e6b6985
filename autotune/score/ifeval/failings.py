"""Why an answer fails an instruction, as a plain sentence with what it has and what it needs."""

import re
from collections.abc import Callable, Mapping

from autotune.protocol.results import InstructionVerdict
from autotune.score.ifeval.checkers import MAX_NESTING, nesting
from autotune.score.ifeval.instructions import Argument
from autotune.score.ifeval.linear import count_bullets, count_placeholders
from autotune.score.ifeval.words import (
    count_capital_words,
    count_sentences,
    count_words,
    detect_language,
)

Arguments = Mapping[str, Argument]
Sentence = Callable[[Arguments, str], str]

_DIVIDER = re.compile(r"\s?\*\*\*\s?")
_HIGHLIGHT = re.compile(r"\*[^\n\*]*\*")
_DOUBLE = re.compile(r"\*\*[^\n\*]*\*\*")


def failing(verdict: InstructionVerdict, kwargs: Arguments, response: str | None) -> str:
    """Why `response` does not strictly follow, such as "3 sentences, at least 5 are required".

    The numbers are the checker's own. An instruction of another scorer is named, no more.
    """
    if response is None or not response.strip():
        return "no answer"
    if verdict.error is not None:
        return verdict.error
    try:
        return _SENTENCES[verdict.instruction](kwargs, response)
    except Exception:  # a text that a count dies of has failed, whatever can be said of it
        return f"does not follow {verdict.instruction}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _needs(count: int, noun: str, relation: Argument, limit: Argument) -> str:
    return f"{_number(count, noun)}, {relation} {limit} {_be(limit)} required"


def _be(limit: Argument) -> str:
    return "is" if limit == 1 else "are"


def _quote(text: Argument) -> str:
    return f'"{str(text).strip()}"'


def _times(text: str, keyword: Argument) -> int:
    return len(re.findall(re.escape(str(keyword).strip()), text, re.IGNORECASE))


def _texts(value: Argument) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _existence(kwargs: Arguments, text: str) -> str:
    missing = [word for word in _texts(kwargs["keywords"]) if not _times(text, word)]
    return f"lacks {', '.join(map(_quote, missing))}"


def _forbidden(kwargs: Arguments, text: str) -> str:
    used = [
        word
        for word in _texts(kwargs["forbidden_words"])
        if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)
    ]
    verb = "is" if len(used) == 1 else "are"
    return f"uses {', '.join(map(_quote, used))}, which {verb} not allowed"


def _frequency(kwargs: Arguments, text: str) -> str:
    word = kwargs["keyword"]
    times = _number(_times(text, word), "time")
    return f"{_quote(word)} {times}, {kwargs['relation']} {kwargs['frequency']} required"


def _letters(kwargs: Arguments, text: str) -> str:
    letter = str(kwargs["letter"]).lower()
    times = _number(text.lower().count(letter), "time")
    needs = f"{kwargs['let_relation']} {kwargs['let_frequency']} required"
    return f"the letter {_quote(letter)} {times}, {needs}"


def _paragraphs(kwargs: Arguments, text: str) -> str:
    parts = [part.strip() for part in _DIVIDER.split(text)]
    count = sum(map(bool, parts))
    needs = f"exactly {kwargs['num_paragraphs']} divided by *** {_be(kwargs['num_paragraphs'])}"
    if not all(parts[1:-1]):
        return f"an empty paragraph between two ***, {needs} required"
    return f"{_number(count, 'paragraph')}, {needs} required"


def _nth_paragraph(kwargs: Arguments, text: str) -> str:
    parts = text.split("\n\n")
    count = sum(bool(part.strip()) for part in parts)
    nth, needed = kwargs["nth_paragraph"], kwargs["num_paragraphs"]
    if count != needed:
        return f"{_number(count, 'paragraph')}, exactly {needed} {_be(needed)} required"
    words = parts[int(str(nth)) - 1].split()
    begins = f"begins with {_quote(words[0])}" if words else "is empty"
    return f"paragraph {nth} {begins}, must begin with {_quote(kwargs['first_word'])}"


def _sections(kwargs: Arguments, text: str) -> str:
    splitter = str(kwargs["section_spliter"]).strip()
    count = len(re.findall(re.escape(splitter) + r"\s?\d+", text))
    needs = f"at least {kwargs['num_sections']} {_be(kwargs['num_sections'])} required"
    return f'{count} headed "{splitter} 1", "{splitter} 2" and so on, {needs}'


def _highlights(kwargs: Arguments, text: str) -> str:
    single = sum(bool(found.strip("*").strip()) for found in _HIGHLIGHT.findall(text))
    double = sum(bool(found[2:-2].strip()) for found in _DOUBLE.findall(text))
    count = single + double
    return _needs(count, "*highlighted* part", "at least", kwargs["num_highlights"])


def _case(kwargs: Arguments, text: str, name: str, other: Callable[[str], bool]) -> str:
    wrong = sum(map(other, text))
    if wrong:
        return f"{_number(wrong, 'letter')} not {name}, all must be"
    if not any(map(str.isalpha, text)):
        return f"no letters, must be English in {name} letters"
    return f"in the language {_quote(detect_language(text) or '?')}, must be English"


def _capital(kwargs: Arguments, text: str) -> str:
    return _case(kwargs, text, "capital", str.islower)


def _lowercase(kwargs: Arguments, text: str) -> str:
    return _case(kwargs, text, "lower case", str.isupper)


def _language(kwargs: Arguments, text: str) -> str:
    found = detect_language(text) or "?"
    return f"in the language {_quote(found)}, must be {_quote(kwargs['language'])}"


def _json(kwargs: Arguments, text: str) -> str:
    if nesting(text) > MAX_NESTING:
        return f"JSON nested deeper than {MAX_NESTING}, the deepest that is read"
    return "not valid JSON as a whole"


def _two_responses(kwargs: Arguments, text: str) -> str:
    parts = [part.strip() for part in text.split("******") if part.strip()]
    if len(parts) == 2:
        return "two responses that are the same, or a part of nothing between two ******"
    return f"{_number(len(parts), 'response')}, exactly 2 divided by ****** are required"


_SENTENCES: dict[str, Sentence] = {
    "change_case:capital_word_frequency": lambda k, t: _needs(
        count_capital_words(t), "all-capital word", k["capital_relation"], k["capital_frequency"]
    ),
    "change_case:english_capital": _capital,
    "change_case:english_lowercase": _lowercase,
    "combination:repeat_prompt": lambda k, t: "does not begin with the request, word for word",
    "combination:two_responses": _two_responses,
    "detectable_content:number_placeholders": lambda k, t: _needs(
        count_placeholders(t), "[placeholder]", "at least", k["num_placeholders"]
    ),
    "detectable_content:postscript": lambda k, t: (
        f"no postscript that begins with {_quote(k['postscript_marker'])}"
    ),
    "detectable_format:constrained_response": lambda k, t: (
        'holds none of "My answer is yes.", "My answer is no." and "My answer is maybe."'
    ),
    "detectable_format:json_format": _json,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:number_bullet_lists": lambda k, t: _needs(
        count_bullets(t), "bullet", "exactly", k["num_bullets"]
    ),
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:title": lambda k, t: "no title in double angle brackets, as in <<title>>",
    "keywords:existence": _existence,
    "keywords:forbidden_words": _forbidden,
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letters,
    "language:response_language": _language,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_sentences": lambda k, t: _needs(
        count_sentences(t), "sentence", k["relation"], k["num_sentences"]
    ),
    "length_constraints:number_words": lambda k, t: _needs(
        count_words(t), "word", k["relation"], k["num_words"]
    ),
    "punctuation:no_comma": lambda k, t: f"{_number(t.count(','), 'comma')}, none is allowed",
    "startend:end_checker": lambda k, t: f"does not end with {_quote(k['end_phrase'])}",
    "startend:quotation": lambda k, t: "not wrapped in double quotation marks as a whole",
}
