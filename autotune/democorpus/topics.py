"""What the demo conversations talk about: topics with true sentences, read from `text/*.toml`."""

import json
import tomllib
from functools import cache
from importlib import resources

from autotune.boundary import Boundary

TRAINING_FILES = ("food.toml", "home.toml", "nature.toml", "world.toml", "arts.toml")
HELD_OUT_FILE = "heldout.toml"
LANGUAGES_FILE = "languages.toml"


class Topic(Boundary):
    """A subject and its material.

    `name` is a noun phrase that fits after "about"; `keyword` is a word that most facts hold;
    every fact and tip marks one phrase with asterisks; `yes_no` rows are question, answer and
    reason; `verse` is four lines without commas.
    """

    name: str
    title: str
    keyword: str
    facts: tuple[str, ...]
    tips: tuple[str, ...]
    items_about: str
    items: tuple[str, ...]
    yes_no: tuple[tuple[str, str, str], ...]
    verse: tuple[str, ...]


class LanguageText(Boundary):
    """A short text in another language; `language` is its ISO 639-1 code."""

    language: str
    name: str
    about: str
    sentences: tuple[str, ...]


@cache
def training_topics() -> tuple[Topic, ...]:
    """The topics of the training conversations, in file order."""
    return tuple(topic for name in TRAINING_FILES for topic in _topics(name))


@cache
def held_out_topics() -> tuple[Topic, ...]:
    """The topics that only the demo prompts ask about."""
    return _topics(HELD_OUT_FILE)


@cache
def language_texts() -> tuple[LanguageText, ...]:
    """The texts in other languages, in file order."""
    rows = _tables(LANGUAGES_FILE, "text")
    return tuple(LanguageText.model_validate_json(row) for row in rows)


def _topics(name: str) -> tuple[Topic, ...]:
    return tuple(Topic.model_validate_json(row) for row in _tables(name, "topic"))


def _tables(name: str, table: str) -> list[str]:
    """The rows of a TOML array of tables as JSON, which strict models read lists from."""
    path = resources.files("autotune.democorpus") / "text" / name
    return [json.dumps(row) for row in tomllib.loads(path.read_text(encoding="utf-8"))[table]]
