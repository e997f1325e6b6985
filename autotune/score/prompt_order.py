"""A random order of the prompts that a seed fixes, and its two halves.

Each prompt is ranked by a hash of the seed and its key, so neither the order of the file nor the
Python version has a part in it.
"""

import hashlib
from collections.abc import Mapping, Sequence

from autotune.base.errors import BadInput
from autotune.base.format import counted
from autotune.score.prompts import Prompt


def shuffled(prompts: Sequence[Prompt], seed: int) -> tuple[Prompt, ...]:
    """All prompts in the order in which sequential tests take their answers."""
    return tuple(sorted(prompts, key=lambda prompt: _rank("order", seed, prompt)))


def answered_in_order(order: Sequence[Prompt], strict: Mapping[int, bool]) -> tuple[bool, ...]:
    """The verdicts of the first prompts of `order`, up to the first that has none yet.

    Later verdicts wait: which answers are decided first depends on what they say, so only those
    from the beginning on are a random sample. `strict` is by key.
    """
    verdicts = []
    for prompt in order:
        if prompt.key not in strict:
            break
        verdicts.append(strict[prompt.key])
    return tuple(verdicts)


def halves(prompts: Sequence[Prompt], seed: int) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """One half to choose by and one to report, each in the order of `prompts`.

    An odd prompt goes to the second.

    Raises:
        BadInput: fewer than two prompts.
    """
    demand_two(len(prompts))
    ranked = sorted(prompts, key=lambda prompt: _rank("half", seed, prompt))
    chosen = {prompt.key for prompt in ranked[: len(prompts) // 2]}
    return (
        tuple(prompt for prompt in prompts if prompt.key in chosen),
        tuple(prompt for prompt in prompts if prompt.key not in chosen),
    )


def demand_two(count: int) -> None:
    """Refuse prompts of which there is none for one of the halves.

    Raises:
        BadInput: fewer than two prompts.
    """
    if count < 2:
        raise BadInput(
            f"holdout of {counted(count, 'prompt')}: needs at least 2; leave --holdout out or give"
            " more prompts"
        )


def _rank(use: str, seed: int, prompt: Prompt) -> bytes:
    return hashlib.sha256(f"{use}:{seed}:{prompt.key}".encode()).digest()
