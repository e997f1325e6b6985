"""How long answers are expected to be, of a cap that they seldom all reach: estimates.

Of a language model some answers never end, those of a small one in loops, and run to their cap;
the others end by themselves, and their lengths are taken to fall off as an exponential does.
"""

import math

UNTRAINED = 0.5
"""Share of the untrained model's answers that do not end. SmolLM2-135M-Instruct stops in 49 of 100
answers to IFEval within 1280 tokens, and took 54 % of all that it might (docs/proof)."""

TRAINED = 0.2
"""The same of a checkpoint: 13 % there after training, and what is decided early ends sooner."""

MEAN_TOKENS = 250.0
"""Of an answer that ends by itself. GPT-4's to IFEval have 286 at the median (docs/LOG.md)."""

PRACTICE = 0.8
"""Of the cap on an answer for practice, 224 tokens: 180 were sampled on average."""

CHAT_SHARE = 0.6
"""Of the prompts of practice, those that a chat comes of: 2 331 of 4 000."""

TOKENS_A_WORD = 1.5
"""SmolLM2's, of English prose: 1.55 of GPT-4's answers (docs/LOG.md)."""


def expected_share(cap: int, unended: float) -> float:
    """Tokens of an answer on average, as a share of its cap; `unended` answers reach it."""
    ended = MEAN_TOKENS / cap * (1 - math.exp(-cap / MEAN_TOKENS))
    return unended + (1 - unended) * ended


def practice_tokens(cap: int, words: tuple[int, int] | None) -> int:
    """Tokens of a practice chat's answer on average, cut to so many words where it is cut."""
    sampled = PRACTICE * cap
    return round(min(sampled, TOKENS_A_WORD * sum(words) / 2) if words else sampled)
