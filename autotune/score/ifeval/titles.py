"""The title that a text has in its first line, or that its subject gives."""

import re
from random import Random

from autotune.score.ifeval.leaning import is_salutation
from autotune.score.ifeval.own_words import is_telling, subject
from autotune.score.ifeval.pieces import HEADING_WORDS, pieces

MIN_WORDS = 2
"""Words of a title at least: one alone may be of any kind ("Dear", "Dental")."""

TITLES = ("{}", "{}", "About {}", "On {}", "All About {}", "A Few Words on {}", "The Story of {}")
"""Titles of no particular text; they take what it is about, which mostly is title enough."""

_SIGNS = ' \t#*_<>"“”:'
_NUMBERED = re.compile(r"^\w+\s?(?:\d+|[IVX]+)$")
_NAMED = re.compile(r"^(?:title|subject|headline)\s*:\s*", re.IGNORECASE)
_OF_NOTHING = re.compile(r"\b(?:you|it|this|that|these|them|me)\b", re.IGNORECASE)
_SMALL = {"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"}


def own_title(text: str) -> tuple[str, str]:
    """The title that the first line is, and what follows that line; the title empty where none.

    It is marked or called one, or stands apart and neither ends as a sentence does nor leads to
    what follows, nor numbers it ("Part 1"), nor greets.
    """
    first, _, rest = text.partition("\n")
    bare = first.strip(_SIGNS)
    title = _NAMED.sub("", bare).strip(_SIGNS)
    fits = MIN_WORDS <= len(title.split()) <= HEADING_WORDS and title[0].isalnum()
    if not rest.strip() or not fits or is_salutation(title):
        return "", rest
    if title != bare:
        return title, rest
    is_marked = first.lstrip().startswith(("#", "**")) or rest.startswith("\n")
    is_other = title[-1] in ".!?,;" or first.rstrip(" *_").endswith(":") or _NUMBERED.search(title)
    return (title if is_marked and not is_other else ""), rest


def title_for(text: str, prompt: str, about: str, draw: Random) -> str | None:
    """A title made of what the prompt is about, the question that it asks, or the text's subject.

    None where the text names nothing that the prompt does too.
    """
    question = "" if about else _question(prompt)
    if question:
        return titled(question)
    named = about or subject(text)
    if not named or (" " not in named and not about and named not in (prompt or named).lower()):
        return None
    several = len(named.split()) >= MIN_WORDS
    made = draw.choice(TITLES if several else [each for each in TITLES if each != "{}"])
    return titled(made.format(named))


def titled(words: str) -> str:
    """In a title's letters: capitals but for small words within it."""
    return " ".join(
        word if at and word in _SMALL else word[:1].upper() + word[1:]
        for at, word in enumerate(words.split())
    )


def _question(prompt: str) -> str:
    """A question of the prompt that says by itself what it is about, without its mark."""
    for span in pieces(prompt):
        asked = prompt[slice(*span)].rpartition(": ")[2]
        short = MIN_WORDS <= len(asked.split()) <= HEADING_WORDS
        telling = any(map(is_telling, asked.rstrip("?").split()))
        if asked.endswith("?") and short and telling and not _OF_NOTHING.search(asked):
            return asked[:-1]
    return ""
