r"""The ids of texts put together from those of their words, each encoded once.

Most of what a tokenizer does to a text is cutting it, byte for byte. The byte-level tokenizers of
GPT-2, SmolLM2 and their like encode each piece by itself, and their regular expression

    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+

takes white space only at the beginning of a piece, and looks ahead only to the end of a run of it.
So a text that is first cut, coarsely, between a character and the white space after it has the same
ids; so it has where digits are cut out one by one before anything else. The words of a language are
soon known. Of other tokenizers whole texts are encoded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from tokenizers import Tokenizer

WHITE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
r"""What `\s` is to the regular expressions of the tokenizers library: Unicode's White_Space. Python
also takes U+001C to U+001F for it."""

_BEFORE_SPACE = re.compile(f"[{WHITE}]*[^{WHITE}]+|[{WHITE}]+")
_AND_AT_DIGITS = re.compile(f"[0-9]|[{WHITE}]*[^{WHITE}0-9]+|[{WHITE}]+")

LONGEST = 32
"""Characters of a word that is kept. What is longer seldom comes again: addresses, and sentences of
languages that write no spaces."""

MAX_WORDS = 2**17
"""Words that are kept, some 30 MB. Where there are more, all are forgotten, and the frequent ones
are soon known again."""

Ids = Sequence[int]


class Words:
    """The ids of texts by one tokenizer, each cut into what `word` finds in it, one by one.

    Several threads may ask at once.
    """

    def __init__(self, tokenizer: Tokenizer, word: re.Pattern[str]) -> None:
        self._tokenizer = tokenizer
        self._word = word
        self._known: dict[str, Ids] = {}

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text; words that are not known are encoded together."""
        cut = [self._word.findall(text) for text in texts]
        words = set(chain.from_iterable(cut))
        known = self._known
        new = self._encoded(words.difference(known))
        known.update((word, ids) for word, ids in new.items() if len(word) <= LONGEST)
        if len(known) > MAX_WORDS:
            self._known = {}  # another thread may be reading the other
        found = known
        if not new.keys() <= known.keys():
            found = new | {word: known[word] for word in words.difference(new)}
        return [list(chain.from_iterable(map(found.__getitem__, each))) for each in cut]

    def _encoded(self, words: Iterable[str]) -> dict[str, Ids]:
        each = list(words)
        # Together, because that does not hold Python's lock.
        found = self._tokenizer.encode_batch_fast(each, add_special_tokens=False)
        return {word: tuple(one.ids) for word, one in zip(each, found, strict=True)}


def word_of(spec: Mapping[str, Any]) -> re.Pattern[str] | None:
    """What a tokenizer, by its description, never joins to what is before or after it.

    None where nothing can be said: where a text is changed before it is cut, is cut otherwise, or
    is searched for tokens that reach over white space.
    """
    steps = _steps(spec["pre_tokenizer"])
    if spec["normalizer"] is not None or not steps or not _is_gpt2s(steps[-1]):
        return None
    if any(map(_reaches_out, spec["added_tokens"])):
        return None
    if any(step["type"] != "Digits" for step in steps[:-1]):
        return None
    one_by_one = any(step["individual_digits"] for step in steps[:-1])
    # A token such as <|reserved_7|> is found before anything is cut.
    if one_by_one and not any(re.search("[0-9]", t["content"]) for t in spec["added_tokens"]):
        return _AND_AT_DIGITS
    return _BEFORE_SPACE


def _steps(cutter: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The steps in which a text is cut, as far as they are described."""
    if cutter is None:
        return []
    return list(cutter["pretokenizers"]) if cutter["type"] == "Sequence" else [cutter]


def _is_gpt2s(step: Mapping[str, Any]) -> bool:
    """Whether a step cuts by the expression of GPT-2, and adds nothing."""
    return (
        step["type"] == "ByteLevel"
        and bool(step.get("use_regex", True))
        and not step["add_prefix_space"]
    )


def _reaches_out(token: Mapping[str, Any]) -> bool:
    """Whether an added token takes white space, or depends on what is beside it."""
    flags = ("lstrip", "rstrip", "single_word")
    return any(token[flag] for flag in flags) or re.search(r"\s", token["content"]) is not None
