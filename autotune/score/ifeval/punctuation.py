"""The instruction on punctuation."""

import re
from random import Random

from autotune.score.ifeval.instruction import Instruction, Stage, number

_BETWEEN_DIGITS = re.compile(r"(?<=\d),(?=\d)")
_DOUBLED = re.compile(r"\b(\w+(?: \w+)?),+\s+\1\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")

WORDS_A_COMMA = 10
"""Of a text with more commas than one in so many words too much of what parts it would go."""

_AT_WHITE_SPACE = re.compile(r",+(?=\s|$|[\"'”’)\]*])|(?<=\s),+")


class NoComma(Instruction):
    """No comma; those of other scripts are none (`CommaChecker`)."""

    id = "punctuation:no_comma"
    amended_at = Stage.PUNCTUATION

    def check(self, answer: str) -> bool:
        """Whether there is none."""
        return "," not in answer

    def decide_early(self, beginning: str) -> bool | None:
        """Fails at one."""
        return False if "," in beginning else None

    def explain(self, answer: str) -> str:
        """How many there are."""
        return f"{number(answer.count(','), 'comma')}, none is allowed"

    def edit(self, answer: str, draw: Random) -> str | None:
        """They are left out: a space takes the place of one that has none beside it.

        Not where a word would stand beside itself ("the best, the best"), nor from a text that is
        full of them.
        """
        words = len(_WORD.findall(_BETWEEN_DIGITS.sub("", answer)))
        commas = len(_AT_WHITE_SPACE.findall(answer))
        if _DOUBLED.search(answer) or commas * WORDS_A_COMMA > words:
            return None
        without = _AT_WHITE_SPACE.sub("", _BETWEEN_DIGITS.sub("", answer))
        return without.replace(",", " ")
