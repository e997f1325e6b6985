"""Ids put together from those of words are the ids of the whole text, or are not put together."""

import json
import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers

from autotune.worker.tokens import words
from autotune.worker.tokens.whole_text import WholeText
from autotune.worker.tokens.words import WHITE, Words, word_of
from tests.worker.tokenizer_kinds import CHAT, byte_level, tokenizer_of

Change = Callable[[Tokenizer], Any]


def cut_by(*steps: Any) -> Change:
    def change(tokenizer: Tokenizer) -> None:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(steps)) if steps[1:] else steps[0]

    return change


def normal(tokenizer: Tokenizer) -> None:
    tokenizer.normalizer = normalizers.NFC()


BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)
CUT: dict[str, Change] = {
    "as GPT-2": cut_by(BYTES),
    "as SmolLM2": cut_by(pre_tokenizers.Digits(individual_digits=True), BYTES),
    "numbers whole": cut_by(pre_tokenizers.Digits(individual_digits=False), BYTES),
    "with a token of its own": lambda t: t.add_tokens(["<think>"]),
    "with a token of digits": lambda t: [
        CUT["as SmolLM2"](t),
        t.add_tokens(["a1_"]),
    ],
}
"""Tokenizers that always cut before white space."""

UNCUT: dict[str, Change] = {
    "with a space put before": cut_by(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "without the expression": cut_by(
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ),
    "by another expression": cut_by(
        pre_tokenizers.Split(Regex(r"\p{L}+|[^\p{L}\n]+\n*|\n"), "isolated"), BYTES
    ),
    "by nothing": lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Sequence([])),
    "after normalizing": normal,
    "with a token that strips": lambda t: t.add_tokens([AddedToken("<x>", lstrip=True)]),
    "with a token of whole words": lambda t: t.add_tokens([AddedToken("the", single_word=True)]),
    "with a token of two words": lambda t: t.add_tokens(["the river"]),
}
"""Tokenizers that may not."""


@cache
def changed(name: str) -> Tokenizer:
    tokenizer = byte_level("hello world")
    (CUT | UNCUT)[name](tokenizer)
    return tokenizer


def spec_of(tokenizer: Tokenizer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tokenizer.to_str())
    return found


def words_of(tokenizer: Any) -> Words:
    word = word_of(spec_of(tokenizer))
    assert word is not None
    return Words(tokenizer, word)


SPACES = [*" \n\t\r", "  ", "\n\n", "\x1c", "\x85", "\xa0", "\u180e", "\u200b", "\u2028", "\u3000"]
LETTERS = ["the", "river", "don't", "Éa", "한국", "\U0001f30a", *".,'_", "a1_", "<think>", *CHAT]
PIECES = st.sampled_from([*SPACES, *LETTERS, "1", "12", "\u00bd", "\u0664"])


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.sampled_from(sorted(CUT)), st.lists(st.lists(PIECES).map("".join), max_size=4))
def test_a_text_has_the_ids_that_the_tokenizer_gives_it_whole(name: str, texts: list[str]) -> None:
    tokenizer = changed(name)
    found = words_of(tokenizer).ids(texts)
    assert found == [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def test_white_space_is_what_the_tokenizers_library_takes_for_it() -> None:
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
    split = pre_tokenizers.Split(Regex(r"[^\s]+"), "removed")
    spaces = {char for piece, _ in split.pre_tokenize_str(every) for char in piece}
    assert spaces == set(re.findall(f"[{WHITE}]", every))


@pytest.mark.parametrize("name", UNCUT)
def test_a_tokenizer_that_may_join_across_white_space_is_given_whole_texts(name: str) -> None:
    tokenizer = changed(name)
    assert word_of(spec_of(tokenizer)) is None
    text = "the river.\n\n don't  <x> the"
    assert WholeText(tokenizer, CHAT).ids(["", text]) == tokenizer.encode(text).ids


@pytest.mark.parametrize("kind", ["Metaspace never", "WordPiece", "Unigram"])
def test_so_is_one_of_another_kind(kind: str) -> None:
    assert word_of(spec_of(tokenizer_of(kind))) is None


class Counting:
    """A tokenizer that counts how often it is given each word."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def to_str(self) -> str:
        return changed("as GPT-2").to_str()

    def encode_batch_fast(self, texts: list[str], add_special_tokens: bool) -> Any:
        self.given += texts
        return changed("as GPT-2").encode_batch_fast(texts, add_special_tokens=add_special_tokens)


def test_a_word_is_encoded_once_unless_it_is_long() -> None:
    counting: Any = Counting()
    known = words_of(counting)
    long = "o" * 99
    texts = ["the river", f"the river {long}", f"the river {long}", "the"]
    first = known.ids(texts)
    assert sorted(counting.given) == [f" {long}", " river", "the"]
    assert known.ids(texts) == first
    assert sorted(counting.given) == [f" {long}"] * 2 + [" river", "the"]


def test_words_that_are_too_many_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MAX_WORDS", 2)
    counting: Any = Counting()
    known = words_of(counting)
    for text in ("a b c", "a b", "a b"):
        assert known.ids([text]) == [changed("as GPT-2").encode(text).ids]
    assert sorted(counting.given) == [" b", " b", " c", "a", "a"]
