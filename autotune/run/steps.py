"""The optimizer steps of a training, as much of them as anybody looks at: a bounded number.

A record may hold a million steps. What is asked of them is how the newest went (speed, overflows,
norms) and the shape of the whole (loss curve, medians over windows), so the newest are kept one by
one and the earlier ones thinned evenly.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from autotune.protocol.events import StepDone

NEWEST_STEPS = 512
"""Steps that are kept one by one. The rules of advice look at 100 of the newest at most
(`advice.facts.LONGEST_WINDOW`), and a training that resumes goes back to a checkpoint: with as many
steps between two, nothing is missed."""

EARLIER_STEPS = 2048
"""Most of the steps before those. A curve is drawn 700 pixels wide, and no strategy that is shipped
takes half as many steps on its reference data (6 000 conversations, six epochs, 48 a step: 750), so
of those every step is kept."""


@dataclass
class Steps:
    """Steps in ascending order; each costs the same to add, however many there were.

    Of the steps before the newest, the first and each whose number is a multiple of `stride` stay.
    The stride is 1 until there are more than `EARLIER_STEPS`, and doubles whenever there are again.
    """

    stride: int = 1
    earlier: list[StepDone] = field(default_factory=list)
    newest: deque[StepDone] = field(default_factory=deque)

    def add(self, step: StepDone) -> None:
        """Take in the next step. One that was there before is redone: what came since is void."""
        newest = self.newest
        last = newest[-1] if newest else self.last
        if last is not None and last.step >= step.step:
            self.drop_after(step.step - 1)
        newest.append(step)
        if len(newest) > NEWEST_STEPS:
            old = newest.popleft()
            if not self.earlier or old.step % self.stride == 0:
                self._thin_with(old)

    def _thin_with(self, old: StepDone) -> None:
        """Put a step to the earlier ones, of which every second goes once they are too many."""
        self.earlier.append(old)
        if len(self.earlier) > EARLIER_STEPS:
            self.stride *= 2
            first, *others = self.earlier
            self.earlier = [first, *(s for s in others if s.step % self.stride == 0)]

    def drop_after(self, after: int) -> None:
        """Forget the steps after number `after`: they will be done again."""
        while self.newest and self.newest[-1].step > after:
            self.newest.pop()
        while self.earlier and self.earlier[-1].step > after:
            self.earlier.pop()

    @property
    def last(self) -> StepDone | None:
        """The newest step, if any."""
        if self.newest:
            return self.newest[-1]
        return self.earlier[-1] if self.earlier else None

    def recent(self, count: int) -> list[StepDone]:
        """The last `count` steps that are kept, in order."""
        found = list(self.newest)[-count:]
        missing = count - len(found)
        return self.earlier[-missing:] + found if missing > 0 else found

    def __iter__(self) -> Iterator[StepDone]:
        """All that are kept, in order."""
        yield from self.earlier
        yield from self.newest

    def __len__(self) -> int:
        """How many are kept."""
        return len(self.earlier) + len(self.newest)
