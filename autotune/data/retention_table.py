"""The retention table: what every length and number of rounds keeps, all computed together.

Agrees with `Survey.kept`, which answers for one point in plain words. Here a conversation is
looked at again only by the lengths that truncate it, so the work grows with the tokens of the data
and with the size of the table, not with their product.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autotune.data.survey import Retention, Survey
from autotune.protocol.choices import LENGTH_GRID, Truncation
from autotune.protocol.plan import Rounds

if TYPE_CHECKING:  # a tenth of a second that only the functions below need
    from numpy.typing import NDArray

    Ints = NDArray[Any]

Point = tuple[int, Rounds]
"""A length in tokens and a number of rounds."""

SUMS = ("conversations", "tokens", "supervised", "truncated", "lost")

SHARES = (50, 90, 95, 99)
"""Percentiles that are reported of lengths and rounds."""

USUAL_ROUNDS = (1, 2, 3, 4, 6, 8)


def retention_table(
    survey: Survey, lengths: Iterable[int], rounds: Iterable[Rounds]
) -> dict[Point, Retention]:
    """What each of these lengths (tokens) keeps with each of these numbers of rounds.

    The keys are in order: lengths rising, and within each the rounds rising, `all` last. Spans of
    a conversation must be in order and lie in their rounds, as the survey writes them.
    """
    import numpy as np

    shown = sorted(set(rounds), key=lambda r: math.inf if r == "all" else r)
    counts = np.array([survey.most_rounds if r == "all" else r for r in shown], dtype=np.int64)
    steps, where = np.unique(np.minimum(counts, survey.most_rounds), return_inverse=True)
    text = _Line.of(survey)
    rows = _Rows.of(text, steps)
    total = survey.total_supervised
    table: dict[Point, Retention] = {}
    whole, done = _Tally(len(steps)), 0
    for length in sorted(set(lengths)):
        # Rows of this length or less stay whole, here and at every greater length.
        now = int(np.searchsorted(rows.stop, length, side="right"))
        whole.add(
            rows.part(done, now), rows.stop[done:now], rows.supervised[done:now], truncated=False
        )
        done = now
        tally = whole.copy()
        truncated = rows.part(now, len(rows.stop))
        low, high = truncated.origin, truncated.origin + length
        if survey.truncation is Truncation.LEFT:
            low, high = (
                truncated.origin + truncated.stop - length,
                truncated.origin + truncated.stop,
            )
        kept = text.supervised_before(high) - text.supervised_before(low)
        tally.add(truncated, np.full(len(kept), length, dtype=np.int64), kept, truncated=True)
        found = tally.kept(total)
        for name, at in zip(shown, where, strict=True):
            table[length, name] = found[at]
    return table


def percentiles(values: Sequence[int]) -> dict[str, int]:
    """`p50` to `p99` and `max`: the smallest value that so many percent do not exceed."""
    ranked = sorted(values)
    at = {f"p{share}": ranked[-(-len(ranked) * share // 100) - 1] for share in SHARES}
    return at | {"max": ranked[-1]}


def lengths_of(survey: Survey) -> list[int]:
    """Tokens of each conversation with all its rounds."""
    return [rounds[-1].stop for rounds in survey.rows]


def useful_lengths(percentile: Mapping[str, int], most: int) -> list[int]:
    """Lengths worth a row: doubling from the grid's first, and the percentiles on the grid.

    None is above `most`, what the model has positions for, and none but the last is long enough
    to truncate nothing.
    """
    enough = min(most, on_grid(percentile["max"]))
    found = {enough, *(min(enough, on_grid(value)) for value in percentile.values())}
    length = LENGTH_GRID
    while length < enough:
        found.add(length)
        length *= 2
    return sorted(found)


def on_grid(tokens: int) -> int:
    """The shortest length of the search grid that holds so many tokens."""
    return -(-tokens // LENGTH_GRID) * LENGTH_GRID


def useful_rounds(survey: Survey) -> list[Rounds]:
    """Numbers of rounds worth a column, `all` last."""
    return [*(r for r in USUAL_ROUNDS if r < survey.most_rounds), "all"]


@dataclass(frozen=True, slots=True)
class _Line:
    """All conversations laid end to end on one line of tokens.

    Per stretch of supervised tokens, of which a round has one or more: its `start`, its `size`,
    and supervised tokens `before` it. Per round: its `stop`, and supervised tokens `done` before
    it. Per conversation: `first`, its first round, and `origin`, its first token. `before`, `done`,
    `first` and `origin` have one more entry at the end.
    """

    start: "Ints"
    size: "Ints"
    before: "Ints"
    done: "Ints"
    stop: "Ints"
    first: "Ints"
    origin: "Ints"

    @classmethod
    def of(cls, survey: Survey) -> "_Line":
        import numpy as np

        def line(values: Iterable[int], count: int) -> "Ints":
            return np.fromiter(values, dtype=np.int64, count=count)

        def sums(values: "Ints") -> "Ints":
            """The sum before each value, and of all."""
            return np.concatenate(([0], np.cumsum(values)))

        talks = survey.rows
        first = sums(line(map(len, talks), len(talks)))
        every = int(first[-1])
        stop = line((s.stop for rounds in talks for s in rounds), every)
        pieces = line((len(s.pieces) or 1 for rounds in talks for s in rounds), every)
        flat = (
            at
            for rounds in talks
            for s in rounds
            for piece in s.pieces or ((s.start, s.end),)
            for at in piece
        )
        spans = line(flat, 2 * int(pieces.sum())).reshape(-1, 2)
        origin = sums(stop[first[1:] - 1])
        shift = np.repeat(origin[:-1], np.diff(first))
        size = spans[:, 1] - spans[:, 0]
        before = sums(size)
        return cls(
            start=spans[:, 0] + np.repeat(shift, pieces),
            size=size,
            before=before,
            done=before[sums(pieces)],
            stop=stop + shift,
            first=first,
            origin=origin,
        )

    def supervised_before(self, at: "Ints") -> "Ints":
        """Supervised tokens on the line before each of these positions."""
        import numpy as np

        span = np.searchsorted(self.start, at, side="right") - 1
        inside = np.minimum(at - self.start[span], self.size[span])
        return np.where(span < 0, 0, self.before[span] + inside)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Every row that some number of rounds makes of some conversation, once, by rising length.

    `step` is the first number of rounds that makes it; `stays` says that all greater numbers do
    as well, since the conversation has no more. `origin` is the row's place on the line; `stop`
    and `supervised` are its tokens.
    """

    step: "Ints"
    stays: "Ints"
    origin: "Ints"
    stop: "Ints"
    supervised: "Ints"

    @classmethod
    def of(cls, text: _Line, steps: "Ints") -> "_Rows":
        import numpy as np

        rounds = np.diff(text.first)
        talks, step, last = [], [], []
        rest = np.arange(len(rounds))
        for at, count in enumerate(steps):
            talks.append(rest)
            step.append(np.full(len(rest), at))
            last.append(text.first[rest] + np.minimum(rounds[rest], count) - 1)
            # Conversations that have no more rounds are the same row from here on.
            rest = rest[rounds[rest] > count]
        talk, end = np.concatenate(talks), np.concatenate(last)
        origin = text.origin[talk]
        stop = text.stop[end] - origin
        order = np.argsort(stop, kind="stable")
        made = np.concatenate(step)
        return cls(
            step=made[order],
            stays=(rounds[talk] <= steps[made])[order],
            origin=origin[order],
            stop=stop[order],
            supervised=(text.done[end + 1] - text.done[text.first[talk]])[order],
        )

    def part(self, low: int, high: int) -> "_Rows":
        """The rows [low, high)."""
        return _Rows(
            self.step[low:high],
            self.stays[low:high],
            self.origin[low:high],
            self.stop[low:high],
            self.supervised[low:high],
        )


class _Tally:
    """Counts by number of rounds: of rows that hold at one number only, and of those that stay."""

    def __init__(self, steps: int) -> None:
        import numpy as np

        self.steps = steps
        # [once or staying, which sum, number of rounds]
        self.sums = np.zeros((2, len(SUMS), steps), dtype=np.int64)
        self.longest = np.zeros((2, steps), dtype=np.int64)

    def copy(self) -> "_Tally":
        """The same counts, to be added to separately."""
        twin = _Tally(self.steps)
        twin.sums, twin.longest = self.sums.copy(), self.longest.copy()
        return twin

    def add(self, rows: _Rows, tokens: "Ints", supervised: "Ints", *, truncated: bool) -> None:
        """Count rows with the tokens and the supervised tokens that are left of them."""
        import numpy as np

        if len(tokens) == 0:
            return
        place = rows.stays * self.steps + rows.step
        alive = supervised > 0
        left = np.where(alive, tokens, 0)

        def by_place(weights: "Ints | None") -> "Ints":
            # In floats, as bincount counts: exact up to 2**53 tokens.
            sums = np.bincount(place, weights, minlength=2 * self.steps)
            return sums.astype(np.int64).reshape(2, self.steps)

        every, kept = by_place(None), by_place(alive)
        parts = (kept, by_place(left), by_place(supervised), every * truncated, every - kept)
        self.sums += np.stack(parts, axis=1)
        np.maximum.at(self.longest.reshape(-1), place, left)

    def kept(self, total_supervised: int) -> list[Retention]:
        """The answer for each number of rounds."""
        import numpy as np

        sums = self.sums[0] + np.cumsum(self.sums[1], axis=1)
        longest = np.maximum(self.longest[0], np.maximum.accumulate(self.longest[1]))
        answers = []
        for at in range(self.steps):
            n, tokens, supervised, truncated, lost = (int(value) for value in sums[:, at])
            share = supervised / total_supervised if total_supervised else 0.0
            answers.append(
                Retention(n, int(longest[at]), tokens, supervised, share, truncated, lost)
            )
        return answers
