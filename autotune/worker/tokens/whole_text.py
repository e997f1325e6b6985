"""Token ids of a text that a template wrote around somebody's words.

The ids are the tokenizer's own of the whole text, so nothing that a tokenizer does at the beginning
of a text, beside a special token or across a line can make them differ. Only where the words
themselves hold a special token, such as a written `<|im_end|>`, would the whole text say too much:
there the template's tokens are encoded under names of their own and the tokens that stand in the
words are split like any other text.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from tokenizers import AddedToken, Tokenizer

from autotune.base.errors import BadInput
from autotune.worker.tokens.words import Words, word_of

Parts = Sequence[str]
"""A text in pieces: what the template writes at even places, somebody's words at odd ones."""

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized")
_BORDER = "border"


@dataclass(frozen=True, slots=True)
class Whole:
    """The ids of a text, and how many special tokens are written in its words."""

    ids: list[int]
    written: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Ids, the characters [begin, end) of each, and at which character each of the parts begins."""

    ids: list[int]
    characters: list[tuple[int, int]]
    parts: list[int]


class WholeText:
    """One tokenizer, asked for the ids of whole texts.

    Cutting and padding that a tokenizer file may ask for are switched off, and so are tokens that
    it puts around every text (bos, eos): a chat template writes those that it wants.
    """

    def __init__(self, tokenizer: Any, markers: Iterable[str]) -> None:
        """Work on copies of a `tokenizers.Tokenizer`, or of a transformers tokenizer's backend.

        `markers` are special here whatever the tokenizer calls them.

        Raises:
            BadInput: the tokenizer is not a fast one.
        """
        backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not isinstance(backend, Tokenizer):
            raise BadInput(
                f"tokenizer {type(tokenizer).__name__}: must be a fast one with a tokenizer.json;"
                " choose a model that has it"
            )
        self._spec = _bare(json.loads(backend.to_str()))
        added = {token["content"]: token for token in self._spec["added_tokens"]}
        self._specials = {
            content: token
            for content, token in added.items()
            if token["special"] or content in set(markers)
        }
        self.puts_around = _put_around(backend)
        self._tokenizer = Tokenizer.from_str(json.dumps(self._spec))
        word = word_of(self._spec)
        self._words = None if word is None else Words(self._tokenizer, word)
        longest_first = sorted(self._specials, key=lambda s: (-len(s), s))
        self._written = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        # Most texts hold no such character at all, which is quicker to see than a match.
        self._first_letters = frozenset(special[0] for special in self._specials)
        self._normalizes = self._tokenizer.normalizer is not None and any(
            token["normalized"] for token in self._specials.values()
        )

    @property
    def added(self) -> frozenset[str]:
        """The special tokens, and those of the markers that are looked for in a text."""
        return frozenset(self._specials)

    @cached_property
    def unknown_id(self) -> int | None:
        """The token of what the vocabulary has no token for, where there is one."""
        unknown = _unknown(self._spec["model"])
        return None if unknown is None else self._tokenizer.token_to_id(unknown)

    def token_to_id(self, token: str) -> int | None:
        """The id of a token, None where the vocabulary has none."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens written out."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))

    def count_written(self, words: Iterable[str]) -> int:
        """How often a special token is written out in these texts."""
        return sum(map(self._count, words))

    def _count(self, text: str) -> int:
        count = 0
        if any(letter in text for letter in self._first_letters):
            count = len(self._written.findall(text))
        if self._normalizes:
            # A tokenizer may make a special token of letters that only resemble it.
            normal = self._tokenizer.normalizer.normalize_str(text)
            if normal != text:
                count = max(count, len(self._written.findall(normal)))
        return count

    def pieces(self, text: str) -> list[str]:
        """A text cut around the special tokens written in it, which stand at the odd places.

        Where only letters that resemble one are in it, the whole text stands there.
        """
        found = re.split(f"({self._written.pattern})", text)
        return found if len(found) > 1 else ["", text, ""]

    def ids(self, parts: Parts) -> list[int]:
        """The ids of one text."""
        return self.batch([parts])[0].ids

    def batch(self, texts: Sequence[Parts]) -> list["Whole"]:
        """The ids of each text; many at a time are encoded side by side."""
        written = [self.count_written(parts[1::2]) for parts in texts]
        whole = ["".join(parts) for parts, count in zip(texts, written, strict=True) if not count]
        encoded = iter(self._encoded(whole))
        return [
            Whole(self.split(parts).ids if count else next(encoded), count)
            for parts, count in zip(texts, written, strict=True)
        ]

    def _encoded(self, texts: Sequence[str]) -> list[list[int]]:
        if self._words is not None:
            return self._words.ids(texts)
        found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [one.ids for one in found]

    def split(self, parts: Parts) -> Placed:
        """The ids of a text whose words hold no special token, whatever is written in them."""
        return self._standing_in.placed(parts)

    def placed(self, parts: Parts) -> Placed:
        """The ids of one text, and where in it they stand."""
        if self.count_written(parts[1::2]):
            return self._standing_in.placed(parts)
        found = self._tokenizer.encode("".join(parts), add_special_tokens=False)
        return Placed(list(found.ids), list(found.offsets), _beginnings(parts))

    def within(self, words: str, marker: str) -> Placed:
        """Words in the middle of a text, before a marker, joined to nothing; characters are theirs.

        What a tokenizer puts at the beginning of a text is not there; what it puts at the
        beginning of every stretch between two special tokens is.
        """
        return self._standing_in.within(words, marker)

    @cached_property
    def _standing_in(self) -> "_StandingIn":
        return _StandingIn(self._spec, self._specials)


class _StandingIn:
    """A copy whose special tokens are found under other names, and are text under their own."""

    def __init__(self, spec: dict[str, Any], specials: dict[str, dict[str, Any]]) -> None:
        names = {content: _name(content) for content in specials}
        apart = json.loads(json.dumps(spec))
        for token in apart["added_tokens"]:
            token["special"] = token["special"] or token["content"] in specials
        _forget(apart["model"], set(specials))
        copy = Tokenizer.from_str(json.dumps(apart))
        copy.encode_special_tokens = True  # takes every token apart that is called special
        border = _name(_BORDER)
        copy.add_tokens(
            [
                AddedToken(names[content], special=False, **{f: token[f] for f in _FLAGS})
                for content, token in specials.items()
            ]
            + [AddedToken(border, special=False, normalized=False)]
        )
        self._tokenizer = copy
        self._names = names
        self._border = border
        self._border_id: int = copy.token_to_id(border) or 0
        self._own = {copy.token_to_id(names[c]): token["id"] for c, token in specials.items()}
        self._own_ids = {content: token["id"] for content, token in specials.items()}
        longest_first = sorted(specials, key=lambda s: (-len(s), s))
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def placed(self, parts: Parts) -> Placed:
        """The ids of one text, those of the template's tokens their own again."""
        renamed = [
            part if at % 2 else self._pattern.sub(lambda m: self._names[m[0]], part)
            for at, part in enumerate(parts)
        ]
        found = self._tokenizer.encode("".join(renamed), add_special_tokens=False)
        ids = [self._own.get(token, token) for token in found.ids]
        return Placed(ids, list(found.offsets), _beginnings(renamed))

    def within(self, words: str, marker: str) -> Placed:
        """See `WholeText.within`."""
        found = self.placed((self._border, words, marker))
        first = found.ids.index(self._border_id) + 1
        last = found.ids.index(self._own_ids[marker], first)
        begin = found.parts[1]
        characters = [(low - begin, high - begin) for low, high in found.characters[first:last]]
        return Placed(found.ids[first:last], characters, [0])


def _put_around(backend: Tokenizer) -> tuple[str, ...]:
    """The tokens that a tokenizer puts before and after every text, padding apart."""
    found = backend.encode("a", add_special_tokens=True)
    marks = zip(found.tokens, found.special_tokens_mask, found.attention_mask, strict=True)
    return tuple(token for token, special, seen in marks if special and seen)


def _bare(spec: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer's description without cutting, padding, tokens around a text, and chance."""
    spec |= {"truncation": None, "padding": None, "post_processor": None}
    if spec["model"].get("dropout"):
        spec["model"]["dropout"] = None  # BPE dropout: the same text would be other tokens
    return spec


def _unknown(model: dict[str, Any]) -> str | None:
    """The token of what has no token."""
    if isinstance(model["vocab"], list):  # Unigram: [piece, score] by id
        at = model.get("unk_id")
        return None if at is None else str(model["vocab"][at][0])
    token: str | None = model.get("unk_token")
    return token


def _forget(model: dict[str, Any], pieces: set[str]) -> None:
    """Rename pieces of a model's vocabulary, so that no plain text is made into them.

    A vocabulary that was trained with its special tokens has them as pieces, and a Unigram model
    even prefers them. Every id stays where it is.
    """
    pieces = pieces - {_unknown(model)}
    if model.get("byte_fallback"):  # what the vocabulary lacks is written in these
        pieces = pieces - {f"<0x{byte:02X}>" for byte in range(256)}
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):
        model["vocab"] = [[_gone(p) if p in pieces else p, score] for p, score in vocabulary]
        return
    model["vocab"] = {_gone(p) if p in pieces else p: at for p, at in vocabulary.items()}
    if "merges" in model:
        inner = model.get("continuing_subword_prefix") or ""
        pairs = [m if isinstance(m, list) else m.split(" ", 1) for m in model["merges"]]
        model["merges"] = [
            [left, right]
            for left, right in pairs
            if not {left, right, left + right.removeprefix(inner)} & pieces
        ]


def _gone(piece: str) -> str:
    """A piece that no text is made into: U+FFFF stands for no character."""
    return f"\uffff{_name(piece)}"


def _name(content: str) -> str:
    """Another name for a token, of the letters that tokens have: no normalizer minds it."""
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    letters = "".join(chr(ord("a") + int(digit, 16)) for digit in digest)
    return f"<|{letters}|>"


def _beginnings(parts: Parts) -> list[int]:
    """At which character of the joined text each part begins."""
    return [0, *accumulate(map(len, parts))][:-1]
