"""Conversations that are held out of a training: how many, and when their loss is measured."""

MOST_HELD_OUT_SHARE = 20
"""At most one conversation of so many is held out: what a small file has is needed to learn from,
and a twentieth moves a score by less than the choice of the prompts does."""

HELD_OUT_FRACTIONS = (0.2, 0.4, 0.6, 0.8)
"""Of the steps, after which the loss is measured, beside once before the first. A fifth is past the
warm-up of most recipes, and early enough for most of a training that diverges to be saved."""

HELD_OUT_PHASE = "held-out loss"
"""The phase of a worker that measures it."""


def held_out_count(asked: int, kept: int) -> int:
    """How many of the `kept` conversations are held out where `asked` are asked for."""
    return min(asked, kept // MOST_HELD_OUT_SHARE)
