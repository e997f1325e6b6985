"""That the cap on new tokens is too low for what the prompts ask for, said before the hours."""

from collections.abc import Sequence

from autotune.base.format import counted, percent
from autotune.score.prompts import Prompt
from autotune.score.scorer import Scorer

WORTH_A_LINE = 0.01
"""A point of score: fewer prompts that cannot be answered are no reason to change a cap."""
MOST = 0.5


def low_cap_sentence(
    scorer: Scorer, prompts: Sequence[Prompt], source: str, max_new_tokens: int
) -> str | None:
    """What the cap leaves no room for, of how many prompts, and a cap that does; None where none.

    `source` names the prompts: what is usual is known of a published set only.
    """
    needed = sorted(scorer.least_tokens(prompt) for prompt in prompts)
    short = sum(tokens > max_new_tokens for tokens in needed)
    published = scorer.full_set is not None and source == scorer.full_set.source
    longer = scorer.usually_longer(max_new_tokens) if published else 0.0
    reasons = []
    if longer >= MOST:
        reasons.append(
            f"most answers to {scorer.title} need more (of GPT-4's published ones"
            f" {percent(longer, 0)} are longer)"
        )
    if short and short >= WORTH_A_LINE * len(needed):
        ask = "asks" if short == 1 else "ask"
        reasons.append(
            f"{short} of {counted(len(needed), 'prompt')} {ask} for more words than fit, up to"
            f" about {needed[-1]} tokens"
        )
    if not reasons:
        return None
    return (
        f"--max-new-tokens {max_new_tokens}: {'; '.join(reasons)}. What is truncated there mostly"
        " fails, whatever the model could do; a higher cap takes longer"
    )
