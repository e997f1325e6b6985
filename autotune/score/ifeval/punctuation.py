"""The instruction on punctuation."""

import re
from random import Random

from autotune.score.ifeval.instruction import Instruction, Stage, number

_BETWEEN_DIGITS = re.compile(r"(?<=\d),(?=\d)")
_DOUBLED = re.compile(r"\b(\w[\w'’]*(?: [\w'’]+){0,7}),+\s+\1\b", re.IGNORECASE)
_ONE = r"(?! (?:I|we|you|he|she|it|they|this|that|there|who|which|where)\b)(?: [\w'’-]+){1,5}"
_SERIES = re.compile(
    rf"(?P<oxford>(?:,{_ONE})+), (?P<join>and|or)\b"
    rf"|(?P<plain>(?:,{_ONE}){{2,}}) (?P<joined>and|or)\b"
)
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

        Between those of a row ("bread, cheese, and wine") an "and" or "or" does.

        Not where a word would stand beside itself ("the best, the best"), nor from a text that is
        full of them.
        """
        joined = _SERIES.sub(_with_conjunctions, _BETWEEN_DIGITS.sub("", answer))
        commas, words = len(_AT_WHITE_SPACE.findall(joined)), len(_WORD.findall(joined))
        if _DOUBLED.search(answer) or commas * WORDS_A_COMMA > words:
            return None
        without = _AT_WHITE_SPACE.sub("", joined)
        return without.replace(",", " ")


def _with_conjunctions(found: re.Match[str]) -> str:
    """A row of three or more with its conjunction between all of them."""
    conjunction = found["join"] or found["joined"]
    row = found["oxford"] or found["plain"]
    return f"{row.replace(',', f' {conjunction}')} {conjunction}"
