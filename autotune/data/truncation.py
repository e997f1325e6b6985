"""How a conversation is truncated: whole rounds from its first, then tokens on one side."""

from dataclasses import dataclass

from autotune.base.model import Boundary
from autotune.protocol.choices import Truncation
from autotune.protocol.plan import Rounds


@dataclass(frozen=True, slots=True)
class RoundSpan:
    """Token positions of one round: its supervised span [start, end) and where it is over.

    No model as other boundary types are: there are hundreds of thousands of them.
    """

    __pydantic_config__ = Boundary.model_config

    start: int
    end: int
    stop: int
    pieces: tuple[tuple[int, int], ...] = ()
    """Where only parts of the span are supervised: these [start, end), in order."""

    def supervised(self, low: int, high: int) -> int:
        """How many tokens of [low, high) are supervised."""
        if not self.pieces:
            return max(0, min(self.end, high) - max(self.start, low))
        return sum(max(0, min(end, high) - max(start, low)) for start, end in self.pieces)


def last_round(rounds: tuple[RoundSpan, ...], max_rounds: Rounds) -> int:
    """Index of the last round that is kept."""
    return len(rounds) - 1 if max_rounds == "all" else min(len(rounds), max_rounds) - 1


def window(length: int, model_max_length: int, truncation: Truncation) -> tuple[int, int]:
    """The kept token range [low, high) of a conversation of `length` tokens."""
    if length <= model_max_length:
        return 0, length
    if truncation is Truncation.LEFT:
        return length - model_max_length, length
    return 0, model_max_length
