"""What prompts are about: topics with true sentences, read from `text/*.toml`."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path

from autotune.base.model import Boundary

TRAINING_FILES = ("food.toml", "home.toml", "nature.toml", "world.toml", "arts.toml")
HELD_OUT_FILE = "heldout.toml"

_MARKED = re.compile(r"\*([^*\n]+)\*")


class Topic(Boundary):
    """A subject and its material.

    `name` is a noun phrase that fits after "about"; `keyword` is a word that most facts hold;
    every fact marks one phrase with asterisks; `questions` are to be answered with yes or no.
    """

    name: str
    keyword: str
    items_about: str
    facts: tuple[str, ...]
    questions: tuple[str, ...]

    @property
    def plain_facts(self) -> tuple[str, ...]:
        """The facts without the asterisks."""
        return tuple(_MARKED.sub(r"\1", fact) for fact in self.facts)

    @property
    def words(self) -> tuple[str, ...]:
        """Words of four letters or more in the marked phrases, each once; not the keyword."""
        phrases = [phrase for fact in self.facts for phrase in _MARKED.findall(fact)]
        words = [word for phrase in phrases for word in re.findall(r"\b[a-z]{4,}\b", phrase)]
        return tuple(w for w in dict.fromkeys(words) if w not in (*_PLAIN_WORDS, self.keyword))


_PLAIN = """
    when that this with from they them your more some each have into only very much than then where
    what once both make makes used also instead before after away their were every same long most
    many other under over still
"""
_PLAIN_WORDS = frozenset(_PLAIN.split())
"""Words of marked phrases that would make odd keywords."""


@cache
def training_topics() -> tuple[Topic, ...]:
    """The topics of the training conversations, in file order."""
    return tuple(topic for name in TRAINING_FILES for topic in _topics(name))


@cache
def held_out_topics() -> tuple[Topic, ...]:
    """The topics that only the demo prompts ask about."""
    return _topics(HELD_OUT_FILE)


def _topics(name: str) -> tuple[Topic, ...]:
    """The rows of a TOML array of tables, through JSON: strict models read lists from that."""
    path = Path(__file__).resolve().parent / "text" / name
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["topic"]
    return tuple(Topic.model_validate_json(json.dumps(row)) for row in rows)
