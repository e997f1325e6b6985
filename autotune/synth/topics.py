"""What prompts are about: subjects, products, places and more, some with facts about them.

`text/subjects.toml` has names by sort; the other files have topics with facts.
"""

import json
import re
from enum import StrEnum
from functools import cache

from autotune.base.model import Boundary
from autotune.synth.texts import read_table

FACT_FILES = ("food", "home", "nature", "world", "arts")
HELD_OUT_FILE = "heldout"

_LAST_THING = re.compile(r".*?\babout (?P<of>.+)$|.*\b(?P<last>(?:a|an|the|two)\s.+)$")
_MARKED = re.compile(r"\*([^*\n]+)\*")


class Sort(StrEnum):
    """What a topic's name is, and so which requests it fits into."""

    SUBJECT = "subject"
    SKILL = "skill"
    PRODUCT = "product"
    JOB = "job"
    PLACE = "place"
    EVENT = "event"
    OCCASION = "occasion"
    SENTENCE = "sentence"
    QUESTION = "question"
    YES_OR_NO = "yes or no"


NOUNS = frozenset({Sort.SUBJECT, Sort.SKILL, Sort.PRODUCT, Sort.JOB, Sort.PLACE, Sort.EVENT})
"""Sorts whose names fit after "about"."""

ASKED_ONE_WAY = frozenset({Sort.SENTENCE, Sort.QUESTION, Sort.YES_OR_NO})
"""Sorts whose topics are half as frequent as others: there are few ways to ask for them."""


class Topic(Boundary):
    """A subject and its material.

    `name` is what its sort says; `keyword` is a word that a text about it has by itself; `related`
    are more words of such a text. Only some have facts: every fact marks one phrase with asterisks;
    `questions` are to be answered with yes or no, `items_about` names a list.
    """

    name: str
    keyword: str
    sort: Sort = Sort.SUBJECT
    related: tuple[str, ...] = ()
    items_about: str | None = None
    facts: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()

    @property
    def plain_facts(self) -> tuple[str, ...]:
        """The facts without the asterisks."""
        return tuple(_MARKED.sub(r"\1", fact) for fact in self.facts)

    @property
    def words(self) -> tuple[str, ...]:
        """Words that go with it, each once; not the keyword.

        With facts, those of four letters or more in the marked phrases.
        """
        phrases = [phrase for fact in self.facts for phrase in _MARKED.findall(fact)]
        words = [word for phrase in phrases for word in re.findall(r"\b[a-z]{4,}\b", phrase)]
        found = dict.fromkeys((*self.related, *words))
        return tuple(w for w in found if w not in (*_PLAIN_WORDS, self.keyword))


_PLAIN = """
    when that this with from they them your more some each have into only very much than then where
    what once both make makes used also instead before after away their were every same long most
    many other under over still
"""
_PLAIN_WORDS = frozenset(_PLAIN.split())
"""Words of marked phrases that would make odd keywords."""


def noun_phrase(name: str) -> str:
    """What a text about a topic is about, to stand behind "about"; empty where that is a sentence.

    Of an occasion ("to a gym to cancel a membership") it is what that is about, or comes last.
    """
    if name[-1:] in ".?!":
        return ""
    if not name.startswith("to "):
        return name
    found = _LAST_THING.search(name)
    return (found["of"] or found["last"]) if found else ""


@cache
def practice_topics() -> tuple[Topic, ...]:
    """The topics to practise with, in file order: none is held out."""
    named = (
        Topic(name=name, keyword=words.split()[0], related=tuple(words.split()[1:]), sort=sort)
        for sort in Sort
        for name, words in read_table("subjects")[sort.value].items()
    )
    return (*(topic for file in FACT_FILES for topic in _with_facts(file)), *named)


@cache
def held_out_topics() -> tuple[Topic, ...]:
    """The topics that no practice prompt is about: the demo's scored prompts ask about them."""
    return _with_facts(HELD_OUT_FILE)


def _with_facts(name: str) -> tuple[Topic, ...]:
    """The rows of a TOML array of tables, through JSON: strict models read lists from that."""
    rows = read_table(name)["topic"]
    return tuple(Topic.model_validate_json(json.dumps(row)) for row in rows)
