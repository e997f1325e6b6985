"""Instructions on words and letters that must or must not be there."""

import re
from functools import cached_property
from random import Random

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
from autotune.score.ifeval.instruction import (
    Counted,
    Growing,
    Instruction,
    Stage,
    is_or_are,
    number,
    quote,
)
from autotune.score.ifeval.own_words import in_case_of, listed, subject, topics
from autotune.score.ifeval.pieces import is_whole, without

MOST_LETTERS_ADDED = 12
"""The same for a letter: those of a line of the answer's own words."""

SIDES = (
    "There is also the {} side of {}.",
    "The {} side of {} counts as well.",
    "Not everybody knows the {} side of {}.",
    "The {} part of {} is a story of its own.",
)
"""Sentences that bring a word to what a text is about. Before another noun a word of nearly any
kind may stand."""

MORE = (
    "There is always more to say about {}.",
    "Few people know all there is to know about {}.",
    "That is only a beginning of what one can learn about {}.",
)
"""Sentences about what a text is about, where that holds the word."""

_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s")
_FULL_STOP = re.compile(r"(?<=\w)\.(?=\s|$)")


class Existence(Growing):
    """Every keyword is there, in small letters or capitals, in a longer word too.

    White space around a keyword counts (`KeywordChecker`). The published checker reads keywords as
    patterns: `C++` would be an error there and `(a+)+$` would never end.
    """

    id = "keywords:existence"
    strains = True
    arguments = {"keywords": some_texts}

    def check(self, answer: str) -> bool:
        """Whether all are."""
        return all(
            re.search(re.escape(word), answer, re.IGNORECASE)
            for word in as_texts(self.given["keywords"])
        )

    def explain(self, answer: str) -> str:
        """Those that are missing."""
        words = as_texts(self.given["keywords"])
        missing = [word for word in words if not times(answer, word)]
        return f"lacks {', '.join(map(quote, missing))}"

    def edit(self, answer: str, draw: Random) -> str | None:
        """A sentence at the end has the one that is missing; more of them would be a mere list."""
        words = [str(word).strip() for word in as_texts(self.given["keywords"])]
        missing = [word for word in words if not times(answer, word)]
        return _with_sentence(answer, missing[0], self.about, draw) if len(missing) == 1 else None


class ForbiddenWords(Instruction):
    """No forbidden word is there, in small letters or capitals, but in a longer word it may be.

    What begins or ends with another sign than a letter, digit or underscore is forbidden just
    beside one of these (`ForbiddenWords`). The published checker reads words as patterns.
    """

    id = "keywords:forbidden_words"
    amended_at = Stage.CUT
    arguments = {"forbidden_words": some_texts}

    @cached_property
    def patterns(self) -> dict[str, re.Pattern[str]]:
        """Each word with what finds it."""
        return {
            word: re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
            for word in as_texts(self.given["forbidden_words"])
        }

    def check(self, answer: str) -> bool:
        """Whether none is."""
        return not any(pattern.search(answer) for pattern in self.patterns.values())

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at one. A word at the very end may go on: `sea` becomes `season`."""
        found = (pattern.search(beginning) for pattern in self.patterns.values())
        return False if any(match and match.end() < len(beginning) for match in found) else None

    def explain(self, answer: str) -> str:
        """Those that are there."""
        used = [word for word, pattern in self.patterns.items() if pattern.search(answer)]
        return f"uses {', '.join(map(quote, used))}, which {is_or_are(len(used))} not allowed"

    def edit(self, answer: str, draw: Random) -> str | None:
        """The sentences with one are left out, if the most of the answer stays."""
        return without(
            answer,
            lambda piece: sum(bool(each.search(piece)) for each in self.patterns.values()),
        )


class Frequency(Counted):
    """A keyword is there often, or seldom, enough, in longer words too.

    In small letters or capitals; none of its places overlap, and white space around it does not
    count (`KeywordFrequencyChecker`). The published checker reads it as a pattern. A literal
    matches as many characters as it has, so places do not change as a text grows.
    """

    id = "keywords:frequency"
    strains = True
    arguments = {"keyword": a_text, "frequency": a_count, "relation": a_relation}

    @property
    def limit(self) -> Argument:
        """The number of times."""
        return self.given["frequency"]

    def count(self, text: str) -> int:
        """How often it is there."""
        return times(text, self.given["keyword"])

    def explain(self, answer: str) -> str:
        """How often it is there."""
        found = number(self.count(answer), "time")
        return f"{quote(self.given['keyword'])} {found}, {self.relation} {self.limit} required"

    def edit(self, answer: str, draw: Random) -> str | None:
        """Sentences with it are left out, or one that has it is put at the end."""
        word, limit = str(self.given["keyword"]).strip(), as_count(self.limit)
        if self.relation == "less than":
            return without(answer, self.count, limit - 1)
        if limit - self.count(answer) > 1:
            return None
        return _with_sentence(answer, word, self.about, draw)


class LetterFrequency(Counted):
    """A letter is there often, or seldom, enough, small or capital (`LetterFrequencyChecker`).

    The published checker draws a letter at random where the asked one is not a to z.
    """

    id = "keywords:letter_frequency"
    strains = True
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

    def edit(self, answer: str, draw: Random) -> str | None:
        """Small edits only: no text without an "e" is made of one with many.

        Too often: the sentences with the most of it are left out, if the most of the answer stays.
        Too seldom: full stops become exclamation marks, the answer's topics are named at its end,
        as hashtags or in a row.
        """
        limit, text = as_count(self.limit), answer.rstrip()
        missing = limit - self.count(text)
        if self.relation == "less than":
            return without(text, self.count, limit - 1)
        if self.letter == "!":
            return _FULL_STOP.sub("!", text, count=missing)
        if self.letter == "#":
            tags = topics(text, missing) if missing <= MOST_LETTERS_ADDED else []
            return f"{text}\n\n{' '.join('#' + tag.replace('-', '') for tag in tags)}"
        if missing > MOST_LETTERS_ADDED:
            return None
        return self._with_its_topics(text, missing)

    def _with_its_topics(self, text: str, missing: int) -> str:
        """The answer's own words that have the letter most often, as few as are enough."""
        named: list[str] = []
        for word in sorted(topics(text, 99), key=self.count, reverse=True):
            if sum(map(self.count, named)) >= missing:
                break
            named.append(word)
        return f"{text}\n\n{in_case_of(text, 'In short')}: {listed(named) if named else ''}."


def _with_sentence(answer: str, word: str, about: str, draw: Random) -> str:
    """The answer with a sentence more in its last paragraph, or behind a list or an open line.

    It has the word, and speaks of what the prompt is `about`, else of what the answer says twice.
    """
    text = answer.rstrip()
    named = subject(text)
    # One word alone may be of any kind: "the tram side of dental".
    of = about or (named if " " in named else "this")
    if word.lower() in of.lower():
        added = draw.choice(MORE).format(of)
    else:
        added = draw.choice(SIDES).format(word, of)
    joined = is_whole(text) and not _ITEM.match(text[text.rfind("\n") + 1 :])
    gap = " " if joined else "\n\n"
    return f"{text}{gap}{in_case_of(text, added)}"


def times(text: str, keyword: Argument) -> int:
    """How often a keyword is in a text, in small letters or capitals."""
    return len(re.findall(re.escape(str(keyword).strip()), text, re.IGNORECASE))
