"""How long an answer to an IFEval prompt has to be: what its instructions demand, what is usual."""

import math
from collections.abc import Mapping
from typing import Any

from autotune.score.ifeval.combination import RepeatPrompt
from autotune.score.ifeval.length import NumberWords
from autotune.score.ifeval.prompts import IFEvalPrompt
from autotune.score.ifeval.words import count_words

TOKENS_A_WORD = 1.36
"""In SmolLM2's tokens: the fewest among whole sets of real answers. 100 of a small base model have
1.36, GPT-4's published ones 1.55, those of a fine-tuned small model 1.62."""

LONGER_THAN = {
    32: 0.89,
    48: 0.85,
    64: 0.80,
    96: 0.75,
    128: 0.70,
    192: 0.62,
    256: 0.55,
    286: 0.50,
}
"""The share of GPT-4's published answers to IFEval (540) that take more than so many of SmolLM2's
tokens, rounded down; at most half of them take more than the last."""


def least_tokens(prompt: IFEvalPrompt) -> int:
    """The tokens that an answer with the words takes which a prompt asks for, at least; 0: none.

    Counted are a number of words and a text to repeat; what else it asks for comes on top.
    """
    words = (
        _least_words(name, kwargs)
        for name, kwargs in zip(prompt.instruction_id_list, prompt.kwargs, strict=True)
    )
    return math.ceil(TOKENS_A_WORD * max(words, default=0))


def _least_words(name: str, kwargs: Mapping[str, Any]) -> int:
    if name == NumberWords.id and kwargs.get("relation") == "at least":
        return int(kwargs.get("num_words") or 0)
    if name == RepeatPrompt.id:
        return count_words(str(kwargs.get("prompt_to_repeat") or ""))
    return 0


def usually_longer(tokens: int) -> float:
    """The share of usual answers to the published prompts that take more tokens, at least."""
    return next((share for point, share in LONGER_THAN.items() if tokens <= point), 0.0)
