"""Puts a request into words: what is wanted, and the instructions it must follow."""

import random

from autotune.synth import wording
from autotune.synth.kinds import Ask, Rule

_RELATIONS = ("relation", "let_relation", "capital_relation")
_ORDINALS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
LANGUAGES = {"es": "Spanish", "fr": "French", "de": "German", "it": "Italian", "pt": "Portuguese"}
"""ISO 639-1 codes of languages that a small model has seen, and their names."""


def word_request(wanted: str, constraints: tuple[Rule, ...], rng: random.Random) -> str:
    """One request: `wanted` and a wording of each constraint, in one of several arrangements."""
    # A pair of bounds is worded once: "some words in capitals, but fewer than n".
    said = [each for each in constraints if each.kwargs.get("capital_frequency") != 1]
    inside = ""
    # Words set inside a question read as part of it; only a plain command takes them.
    if said and wanted.endswith(".") and wanted.count(".") == 1 and rng.random() < 0.35:
        options = _inside(said[0])
        if options:
            inside = _fill(rng.choice(options), said.pop(0), rng)
            wanted = wanted[:-1] + inside + "."
    sentences = [_fill(rng.choice(_sentences(each)), each, rng) for each in said]
    return _arrange(wanted, sentences, rng)


def _arrange(wanted: str, sentences: list[str], rng: random.Random) -> str:
    if not sentences:
        return wanted
    style = rng.random()
    one_line = all("\n" not in s for s in sentences)
    if len(sentences) > 1 and one_line and style < 0.3:
        head = rng.choice(("Follow these rules:", "Keep to these rules:", "Please note:"))
        listing = "\n".join(f"{i}. {s}" for i, s in enumerate(sentences, 1))
        return f"{wanted} {head}\n{listing}"
    if style < 0.5:
        return wanted + "\n" + " ".join(sentences)
    if style < 0.62 and one_line and len(sentences) == 1 and sentences[0][-1] == ".":
        return f"{sentences[0]} {wanted}"
    return " ".join([wanted, *sentences])


def _sentences(each: Rule) -> tuple[str, ...]:
    ask = Ask(each.instruction_id)
    letter = str(each.kwargs.get("letter", "a"))
    if letter in wording.SYMBOLS:
        return wording.SYMBOLS[letter]
    relation = _relation(each)
    if relation is None:
        return wording.SENTENCES[ask]
    if relation == "less than" and each.kwargs.get("let_frequency") == 1:
        return wording.NONE_AT_ALL[ask]
    return (wording.AT_LEAST if relation == "at least" else wording.LESS_THAN)[ask]


def _inside(each: Rule) -> tuple[str, ...]:
    ask, relation = Ask(each.instruction_id), _relation(each)
    if relation is None:
        return wording.INSIDE.get(ask, ())
    bounds = wording.INSIDE_AT_LEAST if relation == "at least" else wording.INSIDE_LESS_THAN
    return bounds.get(ask, ())


def _relation(each: Rule) -> str | None:
    return next((str(each.kwargs[name]) for name in _RELATIONS if name in each.kwargs), None)


def _fill(template: str, each: Rule, rng: random.Random) -> str:
    """The template with the constraint's values; a number is sometimes written as a word."""
    kwargs = each.kwargs
    names = ("num_", "frequency", "let_frequency", "capital_frequency")
    number = next((v for k, v in kwargs.items() if k.startswith(names) and isinstance(v, int)), 0)
    words = kwargs.get("keywords", kwargs.get("forbidden_words", []))
    nth = kwargs.get("nth_paragraph", 1)
    assert isinstance(words, list) and isinstance(nth, int)
    spelled = number in _ORDINALS and number > 1 and rng.random() < 0.35
    return template.format(
        n=_ORDINALS[number] if spelled else number,
        below=number - 1,
        words=_quoted(words),
        word=kwargs.get("keyword", kwargs.get("first_word", "")),
        letter=kwargs.get("letter", ""),
        marker=kwargs.get("postscript_marker", ""),
        phrase=kwargs.get("end_phrase", ""),
        splitter=kwargs.get("section_spliter", ""),
        language=LANGUAGES.get(str(kwargs.get("language", "")), ""),
        nth=nth,
    )


def _quoted(words: list[str]) -> str:
    """`word "a"`, or `words "a", "b" and "c"`."""
    marked = [f'"{word}"' for word in words]
    if len(marked) == 1:
        return f"word {marked[0]}"
    return f"words {', '.join(marked[:-1])} and {marked[-1]}" if marked else ""
