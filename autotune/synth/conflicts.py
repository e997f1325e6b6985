"""Whether the instructions of one prompt can be followed together, their arguments considered."""

import re
from collections.abc import Sequence

from autotune.score.ifeval.arguments import as_texts
from autotune.synth.arguments import LESS_THAN
from autotune.synth.kinds import Ask, Rule

_WORDS_EACH: dict[Ask, int] = {
    Ask.WORDS: 1,
    Ask.SENTENCES: 7,
    Ask.PARAGRAPHS: 15,
    Ask.NTH_PARAGRAPH: 15,
    Ask.SECTIONS: 15,
    Ask.BULLETS: 6,
    Ask.HIGHLIGHTS: 6,
    Ask.PLACEHOLDERS: 5,
    Ask.FREQUENCY: 10,
    Ask.LETTER: 4,
    Ask.CAPITAL_WORDS: 5,
}
"""Words that a text has at least for each of what it is to have, so that it still reads well."""

_WORDS_ALONE: dict[Ask, int] = {
    Ask.EXISTENCE: 25,
    Ask.TWO_RESPONSES: 60,
    Ask.ENDING: 15,
    Ask.POSTSCRIPT: 15,
    Ask.TITLE: 5,
    Ask.LANGUAGE: 10,
}

_SENTENCE_WORDS = 12
"""Of a sentence where few are allowed."""


_PRESCRIBED = frozenset(
    {
        "keywords",
        "keyword",
        "first_word",
        "section_spliter",
        "postscript_marker",
        "end_phrase",
        "prompt_to_repeat",
    }
)
"""Arguments that an answer has to have word for word."""


def clash(rules: Sequence[Rule]) -> bool:
    """Whether one of the rules forbids what another needs, or leaves it no room."""
    fixed = [text for rule in rules for text in _prescribed(rule)]
    room = min((_room(rule) for rule in rules), default=_ENDLESS)
    if sum(map(_needed, rules)) > room:
        return True
    return any(_forbids(rule, fixed) for rule in rules)


def _prescribed(rule: Rule) -> tuple[str, ...]:
    """Texts that an answer has to have."""
    if rule.ask is Ask.FREQUENCY and rule.relation == LESS_THAN:
        return ()
    given = (value for name, value in rule.kwargs.items() if name in _PRESCRIBED)
    return tuple(text for value in given for text in as_texts(value))


def _forbids(rule: Rule, fixed: Sequence[str]) -> bool:
    together = " ".join(fixed).lower()
    if rule.ask is Ask.FORBIDDEN:
        words = as_texts(rule.kwargs["forbidden_words"])
        return any(re.search(rf"\b{re.escape(word)}\b", together) for word in words)
    if rule.ask is Ask.LETTER and rule.relation == LESS_THAN:
        return together.count(str(rule.kwargs["letter"])) >= rule.number
    if rule.ask is Ask.FREQUENCY and rule.relation == LESS_THAN:
        return together.count(str(rule.kwargs["keyword"])) >= rule.number
    if rule.ask is Ask.NO_COMMA:
        return "," in together
    return False


def _needed(rule: Rule) -> int:
    """Words that an answer has at least where it follows the rule."""
    if rule.relation == LESS_THAN:
        return 0
    return _WORDS_ALONE.get(rule.ask, 0) + _WORDS_EACH.get(rule.ask, 0) * rule.number


def _room(rule: Rule) -> int:
    """Words that an answer has at most where it follows the rule."""
    if rule.relation == LESS_THAN and rule.ask is Ask.WORDS:
        return rule.number - 1
    if rule.relation == LESS_THAN and rule.ask is Ask.SENTENCES:
        return _SENTENCE_WORDS * (rule.number - 1)
    return _ENDLESS


_ENDLESS = 10_000
