"""Instructions on capital and small letters."""

import re
from random import Random

from autotune.score.ifeval.arguments import Argument, a_count, a_relation, as_count
from autotune.score.ifeval.instruction import Counted, Instruction, Stage, number, quote
from autotune.score.ifeval.own_words import replaced, spread, telling_words
from autotune.score.ifeval.pieces import Span, longest_beginning
from autotune.score.ifeval.words import (
    capital_words,
    complete_sentences,
    count_capital_words,
    detect_language,
    sentences,
)

_SHOUTED = re.compile(r"\b[^\W\d_]{2,}\b")


class CapitalWordFrequency(Counted):
    """Enough words in all capitals, or few enough (`CapitalWordFrequencyChecker`).

    Words are NLTK's, sentence by sentence, so that what has a hyphen is one word.
    """

    id = "change_case:capital_word_frequency"
    arguments = {"capital_frequency": a_count, "capital_relation": a_relation}
    noun = "all-capital word"

    @property
    def relation(self) -> Argument:
        """One of `arguments.RELATIONS`."""
        return self.given["capital_relation"]

    @property
    def limit(self) -> Argument:
        """The number of words."""
        return self.given["capital_frequency"]

    def count(self, text: str) -> int:
        """The words in all capitals."""
        return count_capital_words(text)

    def certain_count(self, beginning: str) -> int:
        """Those in finished sentences: words at the end of the last one may still change."""
        return sum(map(capital_words, sentences(complete_sentences(beginning))[:-1]))

    def amend(self, answer: str, draw: Random) -> str | None:
        """As others do, but "I" and "A" are no word that stands out: enough others are to be there.

        An answer that follows because of them is left as it is where it has too few other words.
        """
        missing = as_count(self.limit) - len(_shouted(answer))
        if self.relation != "at least" or missing <= 0 or not self.follows(answer):
            return super().amend(answer, draw)
        edited = self.edit(answer, draw)
        return edited if edited is not None and self.follows(edited) else answer

    def edit(self, answer: str, draw: Random) -> str | None:
        """Telling words are put in capitals, or the longest capital words in small letters.

        Where "I" and "A" are too many still, the answer is cut.
        """
        limit, count = as_count(self.limit), self.count(answer)
        if self.relation == "at least":
            small = [s for s in telling_words(answer) if not answer[slice(*s)].isupper()]
            chosen = spread(small, limit - min(count, len(_shouted(answer))), draw)
            changes = [(span, answer[slice(*span)].upper()) for span in chosen or ()]
            return replaced(answer, changes) if chosen else None
        longest = sorted(_shouted(answer), key=lambda span: (span[0] - span[1], span))
        calm = [(span, answer[slice(*span)].capitalize()) for span in longest[: count - limit + 1]]
        return longest_beginning(replaced(answer, calm), self.check)


def _shouted(text: str) -> list[Span]:
    """Places of the words of two letters or more that are all in capitals."""
    return [word.span() for word in _SHOUTED.finditer(text) if word[0].isupper()]


class EnglishCapital(Instruction):
    """English in all capitals (`CapitalLettersEnglishChecker`).

    A text whose language is unknown passes. The published checker draws at random within
    langdetect; `language` does not.
    """

    id = "change_case:english_capital"
    amended_at = Stage.CASE

    def check(self, answer: str) -> bool:
        """Whether it is."""
        return answer.isupper() and detect_language(answer) in ("en", None)

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at a small letter; the added one makes a text without letters count as capital."""
        return None if (beginning + "A").isupper() else False

    def explain(self, answer: str) -> str:
        """The letters that are not, else the language."""
        return _explain(answer, "capital", sum(map(str.islower, answer)))

    def edit(self, answer: str, draw: Random) -> str | None:
        """All letters become capitals; another language stays another."""
        return answer.upper()


class EnglishLowercase(Instruction):
    """English in all small letters, as `EnglishCapital` (`LowercaseLettersEnglishChecker`)."""

    id = "change_case:english_lowercase"
    amended_at = Stage.CASE

    def check(self, answer: str) -> bool:
        """Whether it is."""
        return answer.islower() and detect_language(answer) in ("en", None)

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at a capital."""
        return None if (beginning + "a").islower() else False

    def explain(self, answer: str) -> str:
        """The letters that are not, else the language."""
        return _explain(answer, "lower case", sum(map(str.isupper, answer)))

    def edit(self, answer: str, draw: Random) -> str | None:
        """All letters become small; another language stays another."""
        return answer.lower()


def _explain(text: str, name: str, wrong: int) -> str:
    if wrong:
        return f"{number(wrong, 'letter')} not {name}, all must be"
    if not any(map(str.isalpha, text)):
        return f"no letters, must be English in {name} letters"
    return f"in the language {quote(detect_language(text) or '?')}, must be English"
