"""Which kinds of instruction are kept out of practice, so that a score on them shows transfer."""

import random

from autotune.base.errors import BadInput
from autotune.synth.kinds import PUBLIC_COUNTS

MIN_PROMPTS = 20
"""Prompts of the public set that ask for a kind at least, for a score on it to say something: of
20 prompts, a share of 25 % has an interval of +-19 points."""

MAX_SHARE = 0.25
"""Share at most of all that practice asks for that is held out: the rest has to be learned from."""


def held_out_kinds(seed: int, count: int) -> tuple[str, ...]:
    """`count` instruction ids that no practice prompt is to ask for, sorted; chosen by `seed`.

    A larger count keeps what a smaller one chose.

    Raises:
        BadInput: a negative count, or more than can be held out.
    """
    frequent = [ask for ask, prompts in PUBLIC_COUNTS.items() if prompts >= MIN_PROMPTS]
    rng = random.Random(f"{seed}:held out kinds")
    chosen = rng.sample(frequent, len(frequent))[: max(count, 0)]
    share = sum(PUBLIC_COUNTS[ask] for ask in chosen) / sum(PUBLIC_COUNTS.values())
    if count < 0 or len(chosen) < count or share > MAX_SHARE:
        raise BadInput(
            f"held_out_kinds {count}: must be at least 0, and leave"
            f" {1 - MAX_SHARE:.0%} of what prompts ask for to be practised; give 3, say"
        )
    return tuple(sorted(ask.value for ask in chosen))
