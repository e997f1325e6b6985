"""Cards dealt from a shuffled deck, each in its turn; one that does not fit yet waits."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

Card = TypeVar("Card")


class Deck(Generic[Card]):
    """Endless: as soon as all cards are dealt they are shuffled anew.

    So every card is dealt about equally often in any stretch, and what was dealt does not depend on
    how many are asked for later.
    """

    def __init__(self, cards: Sequence[Card], seed: str) -> None:
        """`cards` may hold one several times; a text seeds the same in every process."""
        self._size = len(cards)
        self._fresh = _shuffled(cards, random.Random(seed))
        self._waiting: list[Card] = []

    def take(self, fits: Callable[[Card], bool]) -> Card | None:
        """The next card that fits; those passed over come first the next time.

        None where none of a whole deck does.
        """
        for at, card in enumerate(self._waiting):
            if fits(card):
                return self._waiting.pop(at)
        for card in (next(self._fresh) for _ in range(2 * self._size)):
            if fits(card):
                return card
            self._waiting.append(card)
        return None


def _shuffled(cards: Sequence[Card], rng: random.Random) -> Iterator[Card]:
    while True:
        yield from rng.sample(cards, len(cards))
