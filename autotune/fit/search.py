"""The search for the largest size that fits: guided by a guess, bounded like a bisection.

Pure: `Search` says which index to try next and records what came of it. A good guess brackets the
answer in two or three trials; a bad one costs nothing, because no question is put that could
leave more unknown sizes than the trials that are left can tell apart.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from autotune.base.format import counted

GUESS_BAND_SHARE = 0.05
"""How far above and below a guess is tried: predictions of memory are good to a few percent."""

SMALL_TRIAL_DIVISOR = 8
"""Of the two small trials that a line is drawn through, the larger is this part of the grid."""


@dataclass
class Search:
    """Finds the largest of `sizes` (rising) that fits.

    At most `most` questions are asked, which must be enough for a bisection: 2**most > len(sizes).
    The answer is always a size that was itself tried and fitted, and the next one up, if there is
    one, was tried and did not. `guess` is a size that somebody predicts, None if nobody does;
    `limit` and the costs given to `record` are in one unit and make a better guess as they come.
    """

    sizes: Sequence[int]
    most: int
    limit: float = math.inf
    guess: float | None = None
    asked: int = 0
    costs: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fitted = -1
        self.failed = len(self.sizes)
        if 2**self.most <= len(self.sizes):
            raise ValueError(
                f"{counted(self.most, 'question')} cannot search {counted(len(self.sizes), 'size')}"
            )

    @property
    def answer(self) -> int | None:
        """The index of the largest that fitted, or None if none did."""
        return self.fitted if self.fitted >= 0 else None

    @property
    def next(self) -> int | None:
        """The index to try now, or None when the answer is known."""
        if self.fitted >= self.failed - 1:
            return None
        # Whatever the answer, what then is left must be within the reach of the questions left.
        reach = (1 << (self.most - self.asked - 1)) - 1
        lowest = max(self.fitted + 1, self.failed - 1 - reach)
        highest = min(self.failed - 1, self.fitted + 1 + reach)
        return min(max(self._preferred_index(), lowest), highest)

    def record(
        self, index: int, fits: bool, cost: float | None = None, *, counted: bool = True
    ) -> None:
        """Take in what came of trying `index`; `cost` is what it was measured to need.

        One that is not `counted` was asked beside the search's own questions.
        """
        self.asked += counted
        if fits:
            self.fitted = max(self.fitted, index)
        else:
            self.failed = min(self.failed, index)
        if cost is not None:
            self.costs[index] = cost

    def _preferred_index(self) -> int:
        """The most informative index; `next` sees to it that it can be afforded."""
        top = len(self.sizes) - 1
        guess = self._line()
        if guess is None and self.guess is not None:
            guess = self.guess
        if guess is None:
            # Data that fits whole is common and then one trial is enough; after that two small
            # trials make a line.
            if self.failed > top:
                return top
            return self.fitted + 1 if self.fitted < 0 else self._small()
        if guess >= self.sizes[-1] and self.failed > top:
            return top
        for factor in (1.0, 1 + GUESS_BAND_SHARE, 1 - GUESS_BAND_SHARE):
            index = self._index(guess * factor)
            if self.fitted < index < self.failed:
                return index
        return (self.fitted + self.failed) // 2

    def _small(self) -> int:
        small = len(self.sizes) // SMALL_TRIAL_DIVISOR
        return small if self.fitted < small < self.failed else (self.fitted + self.failed) // 2

    def _index(self, size: float) -> int:
        """The largest index whose size is at most `size`."""
        return bisect.bisect_right(self.sizes, size) - 1

    def _line(self) -> float | None:
        """The size at which a line through the two largest measured trials meets the limit."""
        if len(self.costs) < 2 or math.isinf(self.limit):
            return None
        small, large = sorted(self.costs)[-2:]
        rise = self.costs[large] - self.costs[small]
        if rise <= 0:
            return float(self.sizes[-1])
        run = self.sizes[large] - self.sizes[small]
        return self.sizes[large] + (self.limit - self.costs[large]) * run / rise


@dataclass
class Bisection:
    """Finds the last True of a monotone row of `size` answers.

    The top is tried first, because data that fits whole is common and then one trial is enough.
    At most ceil(log2(size)) + 1 questions are asked, and the answer is always an index that was
    itself tried and fitted.
    """

    size: int
    fitted: int = -1
    failed: int = field(default=-1)

    def __post_init__(self) -> None:
        self.failed = self.size
        self._asked_top = False

    @property
    def next(self) -> int | None:
        """The index to try now, or None when the answer is known."""
        if self.fitted >= self.failed - 1:
            return None
        if not self._asked_top:
            return self.size - 1
        return (self.fitted + self.failed) // 2

    @property
    def answer(self) -> int | None:
        """The largest index that fitted, or None if none did."""
        return self.fitted if self.fitted >= 0 else None

    def record(self, index: int, fits: bool) -> None:
        """Take in what came of trying `index`."""
        if index == self.size - 1:
            self._asked_top = True
        if fits:
            self.fitted = max(self.fitted, index)
        else:
            self.failed = min(self.failed, index)


def most_trials(size: int) -> int:
    """The limit a whole probe keeps to: bisection, the top first, rounds and the confirmation."""
    return math.ceil(math.log2(max(size, 2))) + 3


def length_grid(shortest: int, longest: int, step: int) -> list[int]:
    """Multiples of `step` from `shortest` up, the last one reaching `longest` tokens or beyond."""
    first = max(step, -(-shortest // step) * step)
    last = max(first, -(-longest // step) * step)
    return list(range(first, last + 1, step))
