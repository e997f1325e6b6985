"""Bisection over a grid of sizes: the largest that fits, each answer a real trial.

Pure: `Bisection` says which index to try next and is told what came of it.
"""

import math
from dataclasses import dataclass, field


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
