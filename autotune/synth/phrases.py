"""Words and endings that an instruction may ask for, and tones of a request: any topic's."""

from autotune.synth.texts import read_table

_TABLE = read_table("phrases")

ODD_WORDS: tuple[str, ...] = tuple(_TABLE["odd_words"].split())
"""Keywords that have nothing to do with the topic."""

FIRST_WORDS: tuple[str, ...] = tuple(_TABLE["first_words"].split())
"""Words that a paragraph may have to start with."""

COMMON_WORDS: tuple[str, ...] = tuple(_TABLE["common_words"].split())
"""Words that are easy to use by habit, to be forbidden."""

ENDINGS: tuple[str, ...] = tuple(_TABLE["endings"])
"""Phrases that an answer may have to end with."""

ADJECTIVES: tuple[str, ...] = tuple(_TABLE["adjectives"].split())
"""Tones that stand before a kind of text: "a funny poem"."""

AUDIENCES: tuple[str, ...] = tuple(_TABLE["audiences"])
"""Whom a text is for; each begins with a space."""

STYLES: tuple[str, ...] = tuple(_TABLE["styles"])
"""Sentences on how a text is to be written, which no checker can verify."""

CONTEXTS: tuple[str, ...] = tuple(_TABLE["contexts"])
"""Sentences before a request, on why it is made."""
