"""The chance in sampled answers: 64 random bits for each token of each sample, known beforehand.

They are computed from what the token is for and nothing that was drawn before, so it does not
matter in which order answers are made, what is guessed, and where an answer is begun again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from autotune.protocol.sampling import Sampling


class Place(NamedTuple):
    """Where a token is chosen: behind `before` new tokens of the answer with this number."""

    number: int
    before: int


@dataclass(frozen=True, slots=True)
class Draws:
    """What is drawn for some answers: of each, in order, the prompt's key and the sample's number.

    Example:
        `Draws(sampling, [(7, 0), (7, 1)])` is for two answers to the prompt with the key 7.
    """

    sampling: Sampling
    samples: Sequence[tuple[int, int]]

    def word(self, place: Place) -> int:
        """64 random bits for a token: a hash of the seed, the key, the sample and the place."""
        key, sample = self.samples[place.number]
        of = f"{self.sampling.seed} {key} {sample} {place.before}".encode()
        return int.from_bytes(blake2b(of, digest_size=8).digest(), "little")
