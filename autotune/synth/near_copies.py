"""Composed prompts that are a scored prompt, or nearly one: those are not asked.

A prompt is held against the scored ones as any training data is (`autotune.data.contamination`), so
that a run that trains on the practice data has nothing to say of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from autotune.data.contamination import ScoredPrompts
from autotune.synth.prompts import PracticePrompt


@dataclass(frozen=True, slots=True)
class Parted:
    """Prompts that may be asked, and those in which a scored prompt stands; both in order."""

    own: tuple[PracticePrompt, ...]
    copies: tuple[PracticePrompt, ...]


def without_near_copies(prompts: Sequence[PracticePrompt], scored: ScoredPrompts) -> Parted:
    """The prompts without those in which a scored one stands, word for word or nearly."""
    copies = tuple(prompt for prompt in prompts if scored.found_in_text(prompt.prompt))
    keys = {prompt.key for prompt in copies}
    return Parted(tuple(prompt for prompt in prompts if prompt.key not in keys), copies)
