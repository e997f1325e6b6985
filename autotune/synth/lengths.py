"""How long an answer to practise on is: its beginning, of a number of words that is drawn."""

from math import exp, log
from random import Random

from autotune.score.ifeval.pieces import pieces

Words = tuple[int, int]
"""The fewest and the most that are drawn."""


def drawn_words(words: Words, draw: int) -> int:
    """A number of words for an answer; the same for the same `draw`.

    Its logarithm is uniform, so there are as many from 25 to 50 as from 50 to 100: most answers are
    short, in which a rule takes more of the text and the end is near, and some are long.
    """
    least, most = words
    return round(exp(Random(draw).uniform(log(least), log(most))))


def beginning(text: str, words: int) -> str:
    """The first whole sentences and lines that have at least so many words together.

    All of a text that has fewer.
    """
    for _, end in pieces(text):
        if len(text[:end].split()) >= words:
            return text[:end]
    return text
