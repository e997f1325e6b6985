"""Instructions on capital and small letters."""

from autotune.score.ifeval.arguments import Argument, a_count, a_relation
from autotune.score.ifeval.instruction import Counted, Instruction, number, quote
from autotune.score.ifeval.words import (
    capital_words,
    complete_sentences,
    count_capital_words,
    detect_language,
    sentences,
)


class CapitalWordFrequency(Counted):
    """Enough words in all capitals, or few enough. The published checker loads NLTK's data."""

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


class EnglishCapital(Instruction):
    """English in all capitals. A text whose language is unknown passes, as published.

    The published checker draws at random within langdetect; `language` does not.
    """

    id = "change_case:english_capital"

    def check(self, answer: str) -> bool:
        """Whether it is."""
        return answer.isupper() and detect_language(answer) in ("en", None)

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at a small letter; the added one makes a text without letters count as capital."""
        return None if (beginning + "A").isupper() else False

    def explain(self, answer: str) -> str:
        """The letters that are not, else the language."""
        return _explain(answer, "capital", sum(map(str.islower, answer)))


class EnglishLowercase(Instruction):
    """English in all small letters, as `EnglishCapital`."""

    id = "change_case:english_lowercase"

    def check(self, answer: str) -> bool:
        """Whether it is."""
        return answer.islower() and detect_language(answer) in ("en", None)

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at a capital."""
        return None if (beginning + "a").islower() else False

    def explain(self, answer: str) -> str:
        """The letters that are not, else the language."""
        return _explain(answer, "lower case", sum(map(str.isupper, answer)))


def _explain(text: str, name: str, wrong: int) -> str:
    if wrong:
        return f"{number(wrong, 'letter')} not {name}, all must be"
    if not any(map(str.isalpha, text)):
        return f"no letters, must be English in {name} letters"
    return f"in the language {quote(detect_language(text) or '?')}, must be English"
