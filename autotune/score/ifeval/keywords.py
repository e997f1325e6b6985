"""Instructions on words and letters that must or must not be there."""

import re
from functools import cached_property

from autotune.score.ifeval.arguments import (
    Argument,
    a_count,
    a_letter,
    a_relation,
    a_text,
    as_count,
    as_texts,
    some_texts,
)
from autotune.score.ifeval.instruction import Counted, Growing, Published, is_or_are, number, quote


class Existence(Growing):
    """Every keyword is there."""

    id = "keywords:existence"
    arguments = {"keywords": some_texts}

    def explain(self, answer: str) -> str:
        """Those that are missing."""
        words = as_texts(self.given["keywords"])
        missing = [word for word in words if not times(answer, word)]
        return f"lacks {', '.join(map(quote, missing))}"


class ForbiddenWords(Published):
    """No forbidden word is there."""

    id = "keywords:forbidden_words"
    arguments = {"forbidden_words": some_texts}

    @cached_property
    def patterns(self) -> dict[str, re.Pattern[str]]:
        """Each word with what finds it."""
        return {
            word: re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
            for word in as_texts(self.given["forbidden_words"])
        }

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at one. A word at the very end may go on: `sea` becomes `season`."""
        found = (pattern.search(beginning) for pattern in self.patterns.values())
        return False if any(match and match.end() < len(beginning) for match in found) else None

    def explain(self, answer: str) -> str:
        """Those that are there."""
        used = [word for word, pattern in self.patterns.items() if pattern.search(answer)]
        return f"uses {', '.join(map(quote, used))}, which {is_or_are(len(used))} not allowed"


class Frequency(Published):
    """A keyword is there often, or seldom, enough."""

    id = "keywords:frequency"
    arguments = {"keyword": a_text, "frequency": a_count, "relation": a_relation}

    def decide_early(self, beginning: str) -> bool | None:
        """Certain once it is there as often as the limit.

        A literal matches as many characters as it has, so matches do not change as a text grows.
        """
        reached = times(beginning, self.given["keyword"]) >= as_count(self.given["frequency"])
        return self.given["relation"] == "at least" if reached else None

    def explain(self, answer: str) -> str:
        """How often it is there."""
        word = self.given["keyword"]
        found = number(times(answer, word), "time")
        limit = f"{self.given['relation']} {self.given['frequency']}"
        return f"{quote(word)} {found}, {limit} required"


class LetterFrequency(Counted):
    """A letter is there often, or seldom, enough.

    The published checker draws a letter at random where the asked one is not a to z.
    """

    id = "keywords:letter_frequency"
    arguments = {"letter": a_letter, "let_frequency": a_count, "let_relation": a_relation}

    @property
    def letter(self) -> str:
        """The letter, small."""
        return str(self.given["letter"]).lower()

    @property
    def relation(self) -> Argument:
        """One of `arguments.RELATIONS`."""
        return self.given["let_relation"]

    @property
    def limit(self) -> Argument:
        """The number of times."""
        return self.given["let_frequency"]

    def count(self, text: str) -> int:
        """How often it is there, small or capital."""
        return text.lower().count(self.letter)

    def decide_early(self, beginning: str) -> bool | None:
        """As counts are. Which sigma a capital becomes depends on what follows."""
        return None if self.letter in "σς" else super().decide_early(beginning)

    def explain(self, answer: str) -> str:
        """How often it is there."""
        found = number(self.count(answer), "time")
        return f"the letter {quote(self.letter)} {found}, {self.relation} {self.limit} required"


def times(text: str, keyword: Argument) -> int:
    """How often a keyword is in a text, in small letters or capitals."""
    return len(re.findall(re.escape(str(keyword).strip()), text, re.IGNORECASE))
