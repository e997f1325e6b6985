"""Say, before any work, that answers will be truncated by the cap on their tokens."""

from collections.abc import Callable

from autotune.run.setup import Setup
from autotune.score.registry import find_scorer
from autotune.text.answer_length import low_cap_sentence


def say_low_cap(setup: Setup, say: Callable[[str], None]) -> None:
    """Say it where the cap is below what the prompts of a run or an `eval` ask for."""
    asked = setup.profile.prompts
    scorer = find_scorer(asked.scorer)
    cap = setup.profile.evaluate.max_new_tokens
    sentence = low_cap_sentence(scorer, setup.prompts, asked.source, cap)
    if sentence is not None:
        say(sentence)
