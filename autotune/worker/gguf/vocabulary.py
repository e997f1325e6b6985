"""A tokenizer as a GGUF file has it: tokens, kinds, merges, and which pre-tokenizer it names.

llama.cpp implements pre-tokenizers by name and not by rule, so only those known here can be
written. Names and rules: `llm_tokenizer_bpe` in its src/llama-vocab.cpp.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotune.base.errors import BadInput

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Kinds of token (`gguf.TokenType`): of text, special, added as text, and to fill up."""

ENDS = ("eos_token", "unk_token", "pad_token", "bos_token")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a file says of its tokens, in order of their ids; `merges` in order of their rank."""

    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...]
    pre: str


def vocabulary_of(folder: Path, rows: int) -> Vocabulary:
    """The tokenizer.json of a folder, filled up to the `rows` of the model's embedding.

    Raises:
        BadInput: it is no byte-level BPE, or its pre-tokenizer is none that is known here.
    """
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    model = content["model"]
    pre = pre_tokenizer_name(content.get("pre_tokenizer"))
    if model.get("type") != "BPE" or pre is None or content.get("normalizer") is not None:
        raise BadInput(
            f"model folder {folder}: GGUF names tokenizers, and this one (a"
            f" {model.get('type')} with its own way to split text) has no name known here; export"
            " needs byte-level BPE as GPT-2 and SmolLM2 have it"
        )
    tokens = [f"[PAD{at}]" for at in range(rows)]
    kinds = [UNUSED] * rows
    for token, at in model["vocab"].items():
        tokens[at], kinds[at] = token, NORMAL
    for added in content.get("added_tokens", ()):
        at = added["id"]
        tokens[at] = added["content"]
        kinds[at] = CONTROL if added["special"] else USER_DEFINED
    merges = tuple(m if isinstance(m, str) else " ".join(m) for m in model["merges"])
    return Vocabulary(tuple(tokens), tuple(kinds), merges, pre)


def pre_tokenizer_name(found: Any) -> str | None:
    """llama.cpp's name of a pre-tokenizer; None where it has none that is known here.

    `gpt-2` splits as GPT-2 does, `smollm` cuts digits out one by one before that.
    """
    steps = found.get("pretokenizers", [found]) if isinstance(found, dict) else []
    if not steps or not _splits_as_gpt2(steps[-1]):
        return None
    if len(steps) == 1:
        return "gpt-2"
    one_by_one = [s.get("type") == "Digits" and s.get("individual_digits") for s in steps[:-1]]
    return "smollm" if one_by_one == [True] else None


def _splits_as_gpt2(step: dict[str, Any]) -> bool:
    return (
        step.get("type") == "ByteLevel"
        and not step.get("add_prefix_space")
        and step.get("use_regex", True) is True
    )
