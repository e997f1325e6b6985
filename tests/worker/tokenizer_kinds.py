"""Tokenizers of every kind in use, small enough to be built in a test, each with its quirks.

Each is a `tokenizers.Tokenizer` with the ChatML tokens, `<s>` and `</s>`. Nothing is trained:
trainers break ties differently from one call to the next.
"""

from collections.abc import Callable, Iterable
from functools import cache
from string import ascii_lowercase

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

CHAT = ("<|im_start|>", "<|im_end|>")
SPECIAL = ("<s>", "</s>", *CHAT)
UNKNOWN = "<unk>"

WORDS = ["user", "assistant", "system", "the", "hello", "river", "\n\n", "\n\n\n", "im", "end"]
JOINED = ["\nh", "t\n", "\n "]
"""Pieces that go across the line between a header and what follows it."""

SPACED = ["▁the", "▁hello", "▁river", "▁▁", "▁user"]
LETTERS = [*ascii_lowercase, "\n", " ", "-", "1", ".", "A", "é", "<", "|", "_", ">", "/", "▁"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def merges_of(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges that build each word from its left."""
    pairs = ((word[:at], word[at]) for word in words for at in range(1, len(word)))
    return list(dict.fromkeys(pairs))


def byte_level(*joined: str) -> Tokenizer:
    """As GPT-2, SmolLM2, Llama 3 and Qwen have it, the special tokens in its vocabulary."""
    letters = {" ": "Ġ", "\n": "Ċ"}  # what these two bytes are called
    words = [*WORDS, *joined, " the", " river", "  "]
    merges = merges_of(["".join(letters.get(ch, ch) for ch in word) for word in words])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*SPECIAL, *alphabet, *(left + right for left, right in merges)]
    tokenizer = Tokenizer(models.BPE(vocab=numbered(pieces), merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return with_tokens(tokenizer)


def metaspace(prepend: str) -> Tokenizer:
    """As converted sentencepiece BPE has it: spaces become ▁, unknown characters bytes."""
    merges = merges_of([*WORDS, *SPACED, *JOINED])
    pieces = [UNKNOWN, *BYTES, *LETTERS, *(left + right for left, right in merges)]
    tokenizer = Tokenizer(
        models.BPE(
            vocab=numbered(pieces),
            merges=merges,
            unk_token=UNKNOWN,
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return with_tokens(tokenizer)


def word_piece() -> Tokenizer:
    """As BERT has it: lower case, no newlines, accents gone; the tokens in its vocabulary."""
    pieces = [UNKNOWN, *SPECIAL, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(models.WordPiece(numbered(pieces), unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return with_tokens(tokenizer)


def unigram() -> Tokenizer:
    """As T5 and XLM-R have it: the special tokens are pieces of the model too, and its best."""
    pieces = [(UNKNOWN, 0.0), *((token, 0.0) for token in SPECIAL)]
    pieces += [(letter, -9.0) for letter in dict.fromkeys(LETTERS)]
    pieces += [(piece, -5.0 - at / 8) for at, piece in enumerate([*WORDS, *SPACED, *JOINED])]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    return with_tokens(tokenizer)


def stripping(**flags: bool) -> Tokenizer:
    """A byte-level tokenizer whose markers take white space beside them, or are found otherwise."""
    tokenizer = byte_level()
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.add_special_tokens([AddedToken(token, **flags) for token in CHAT])
    return tokenizer


def numbered(pieces: Iterable[str]) -> dict[str, int]:
    """A vocabulary: each piece once, by its number."""
    return {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}


def with_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """The special tokens added, so that they are found in a text before anything else."""
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level BPE": byte_level,
    "Metaspace first": lambda: metaspace("first"),
    "Metaspace always": lambda: metaspace("always"),
    "Metaspace never": lambda: metaspace("never"),
    "WordPiece": word_piece,
    "Unigram": unigram,
    "markers that strip on the left": lambda: stripping(lstrip=True),
    "markers that strip on the right": lambda: stripping(rstrip=True),
    "markers found after normalizing": lambda: stripping(normalized=True, lstrip=True),
}

LOSSLESS = ("byte-level BPE", "Metaspace first", "Metaspace never")
"""Kinds whose tokens, decoded in the middle of a text, give its characters back."""


@cache
def tokenizer_of(kind: str, with_bos: bool = False) -> Tokenizer:
    """One of the kinds; `with_bos` has it put `<s>` before and `</s>` after every text."""
    tokenizer = KINDS[kind]()
    if with_bos:
        ids = {token: tokenizer.token_to_id(token) for token in ("<s>", "</s>")}
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=list(ids.items())
        )
    return tokenizer
