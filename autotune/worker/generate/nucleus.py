"""One token of the nucleus, drawn by noise that is known beforehand, and how sure that draw is.

Letters: N rows, K candidates of each, the likeliest first.

Adding to each logit / temperature a number drawn from the Gumbel distribution and taking the
largest sum draws a token with its probability (the Gumbel-max trick; Maddison, Tarlow and Minka
2014, "A* Sampling", arXiv:1411.0030). So a draw is an argmax once more, which only small
differences between two tokens can change: logits that are off by up to e in their differences
change it with probability e / temperature at most, whatever the number of tokens. The other way to
draw, running up the cumulated probabilities to a uniform number, has every token's border to fear.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Words = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_FIRST = np.uint64(0xBF58476D1CE4E5B9)
MIX_SECOND = np.uint64(0x94D049BB133111EB)
"""Constants of SplitMix64 (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number
Generators")."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The likeliest tokens of each row, ordered by logit and then by id.

    `logits` and `ids` are (N, K). `shares` are their probabilities among all of the vocabulary at
    the temperature, so they add up to 1 only where K is all of it (`whole`).
    """

    logits: Floats
    ids: Ids
    shares: Floats
    whole: bool


@dataclass(frozen=True, slots=True)
class Drawn:
    """The token of each row, and its margin in logits, 0 where the nucleus itself is in doubt.

    `enough` says of which rows the candidates hold the nucleus and all that may belong to it; the
    draws of the others are not valid. All three are (N,).
    """

    tokens: Ids
    margins: Floats
    enough: NDArray[np.bool_]


def draw(
    candidates: Candidates, words: Words, *, temperature: float, top_p: float, error: float
) -> Drawn:
    """Draw a token from the nucleus of each row.

    The nucleus has the tokens that are likelier than the rest until their shares add up to `top_p`.
    Where differences of logits may be off by `error`, a token is for certain in it, for certain not
    in it, or in doubt; with an error of 0 none is in doubt.

    Args:
        candidates: what is drawn from.
        words: 64 random bits for each row, (N,).
        temperature: that of the shares.
        top_p: 1 is all of the vocabulary.
        error: in logits.
    """
    logits, ids = candidates.logits, candidates.ids
    places = np.arange(logits.shape[1])
    likelier = np.cumsum(candidates.shares, axis=1) - candidates.shares
    if top_p < 1:
        # A share F of the probability moves by F (1 - F) times the change of the log-odds.
        slack = top_p * (1 - top_p) * error / temperature
        inside = (likelier < top_p - slack).sum(axis=1, keepdims=True)
        reached = (likelier < top_p + slack).sum(axis=1, keepdims=True)
        # The order of two that are nearer than the error is not known either.
        certain = (places < inside) & (logits >= _at(logits, inside) + error)
        beyond = (places >= reached) & (logits <= _at(logits, reached - 1) - error)
        members = likelier < top_p
    else:
        members = certain = np.ones_like(logits, dtype=bool)
        beyond = ~certain
    sums = logits + temperature * gumbel(words, ids)
    token = np.where(members, sums, -np.inf).argmax(axis=1, keepdims=True)
    sums[beyond] = -np.inf
    best = sums.argmax(axis=1, keepdims=True)
    highest = np.take_along_axis(sums, best, axis=1)
    np.put_along_axis(sums, best, -np.inf, axis=1)
    lead = highest - sums.max(axis=1, keepdims=True)
    margins = np.where(np.take_along_axis(certain, best, axis=1), lead, 0.0)
    return Drawn(
        tokens=np.take_along_axis(ids, token, axis=1)[:, 0],
        margins=margins[:, 0],
        enough=beyond[:, -1] | candidates.whole,
    )


def _at(logits: Floats, places: NDArray[np.int64]) -> Floats:
    """The logit at one place of each row, (N, 1); beyond the last one minus infinity."""
    padded = np.pad(logits, ((0, 0), (0, 1)), constant_values=-np.inf)
    return np.take_along_axis(padded, places, axis=1)


def gumbel(words: Words, ids: Ids) -> Floats:
    """Noise of the standard Gumbel distribution for each of these tokens of each row, (N, K).

    It depends on the row's word and the token only: number `id` of the sequence that SplitMix64
    begins with that word.
    """
    bits = words[:, None] + (ids.astype(np.uint64) + np.uint64(1)) * GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * MIX_FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * MIX_SECOND
    bits ^= bits >> np.uint64(31)
    # The middles of 2^53 equal parts of 0 to 1: neither end is met.
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    noise: Floats = -np.log(-np.log(uniform))
    return noise
