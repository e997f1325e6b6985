"""How a request words each instruction: sentences, and phrases that go inside one.

They are in `text/wordings.toml`, in several tables for a kind that is worded by its arguments.
"""

import random
from collections.abc import Sequence

from autotune.score.ifeval.arguments import as_texts
from autotune.synth.arguments import LANGUAGES
from autotune.synth.kinds import Ask, Rule
from autotune.synth.texts import read_table

_NUMERALS = dict(enumerate(("two", "three", "four", "five", "six", "seven", "eight"), 2))
_ORDINALS = dict(enumerate(["first", "second", "third", "fourth", "fifth", "sixth"], 1))

SPELLED_SHARE = 0.3
"""Of numbers up to eight, written as a word."""


def sentences(rule: Rule) -> tuple[str, ...]:
    """Templates of whole sentences, to stand after what is wanted."""
    return _fitting(read_table("wordings")[_table(rule)]["sentences"], rule)


def insertions(rule: Rule) -> tuple[str, ...]:
    """Templates of phrases to go before the full stop of a command; none for some kinds."""
    return _fitting(read_table("wordings")[_table(rule)].get("inside", ()), rule)


def before_request() -> tuple[str, ...]:
    """How a request that is to be repeated is announced."""
    return tuple(read_table("wordings")[Ask.REPEAT]["before"])


def fill(template: str, rule: Rule, rng: random.Random) -> str:
    """The template with the rule's arguments; a number is sometimes written as a word."""
    kwargs, number = rule.kwargs, rule.number
    words = _keywords(rule)
    spelled = number in _NUMERALS and "{n}+" not in template and rng.random() < SPELLED_SHARE
    nth = kwargs.get("nth_paragraph", 1)
    text = template.format(
        n=_NUMERALS[number] if spelled else number,
        s="" if number == 1 else "s",
        below=number - 1,
        bs="" if number == 2 else "s",
        words=_named(words),
        list=", ".join(words),
        word=kwargs.get("keyword", kwargs.get("first_word", "")),
        letter=kwargs.get("letter", ""),
        marker=kwargs.get("postscript_marker", ""),
        phrase=kwargs.get("end_phrase", ""),
        splitter=kwargs.get("section_spliter", ""),
        language=LANGUAGES.get(str(kwargs.get("language", "")), ""),
        nth=nth,
        ordinal=_ORDINALS[int(str(nth))],
    )
    return text[0].upper() + text[1:] if template[:1] == "{" else text


def _fitting(templates: Sequence[str], rule: Rule) -> tuple[str, ...]:
    """Those that read well with the rule's arguments: "one or more" and lists of one do not."""
    few = len(_keywords(rule)) < 2
    return tuple(
        each
        for each in templates
        if not ("{list}" in each and few)
        and not (rule.number == 1 and ("no fewer than" in each or "or more" in each))
    )


def _table(rule: Rule) -> str:
    if rule.ask is Ask.LETTER:
        letter = str(rule.kwargs["letter"])
        if not letter.isalpha():
            return f"{rule.ask} {letter}"
        if rule.relation == "less than" and rule.number == 1:
            return f"{rule.ask} none"
    return f"{rule.ask} {rule.relation}" if rule.relation else rule.ask.value


def _keywords(rule: Rule) -> tuple[str, ...]:
    return as_texts(rule.kwargs.get("keywords", rule.kwargs.get("forbidden_words", ())))


def _named(words: tuple[str, ...]) -> str:
    """`word "a"`, or `words "a", "b" and "c"`."""
    marked = [f'"{word}"' for word in words]
    if len(marked) == 1:
        return f"word {marked[0]}"
    return f"words {', '.join(marked[:-1])} and {marked[-1]}" if marked else ""
