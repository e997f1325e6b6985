"""How long an answer to practise on is: its beginning, of a number of words that is drawn."""

from math import exp, log
from random import Random

from autotune.score.ifeval.pieces import closed, paragraphs, pieces

LONGER_BY = 1.3
"""So many times the words an answer may have for the sake of a whole last paragraph."""

WordRange = tuple[int, int]
"""The fewest and the most that are drawn."""


def drawn_words(words: WordRange, draw: int) -> int:
    """A number of words for an answer; the same for the same `draw`.

    Its logarithm is uniform, so there are as many from 25 to 50 as from 50 to 100: most answers are
    short, in which a rule takes more of the text and the end is near, and some are long.
    """
    least, most = words
    return round(exp(Random(draw).uniform(log(least), log(most))))


def beginning(text: str, words: int) -> str:
    """The first whole sentences and lines that have at least so many words together, closed.

    The paragraph goes on to its end where that comes soon, and a list to its second item. All of a
    text that has fewer.
    """
    for _, end in pieces(text):
        if len(text[:end].split()) < words:
            continue
        ends = next(last for _, last in paragraphs(text) if last >= end)
        soon = len(text[:ends].split()) <= LONGER_BY * words
        begun = text[: ends if soon else end]
        if begun == text.rstrip():
            break
        if len((made := closed(begun)).split()) >= words:
            return made
    return text
