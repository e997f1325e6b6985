"""Counting sentences and words, with models that come with the packages: nothing is downloaded."""

import re
from functools import cache, lru_cache
from typing import Any

_WORD = re.compile(r"\w+")


def count_words(text: str) -> int:
    """Runs of letters, digits and underscores."""
    return len(_WORD.findall(text))


def count_sentences(text: str) -> int:
    """Sentences by the Punkt model of English."""
    return len(_punkt().tokenize(text))


def count_capital_words(text: str) -> int:
    """Words all in capitals; a word with a hyphen is one word.

    Sentences by Punkt, words within them by NLTK's Treebank rules.
    """
    return sum(_capitals(sentence) for sentence in _punkt().tokenize(text))


@lru_cache(maxsize=2**15)
def _capitals(sentence: str) -> int:
    # Answers that loop, and the variants of one answer, hold the same sentences many times over.
    return sum(word.isupper() for word in _treebank().tokenize(sentence))


@cache
def _punkt() -> Any:
    import punkt

    return punkt.tokenizer_for("english")


@cache
def _treebank() -> Any:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()
