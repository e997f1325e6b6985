"""The best score on a line, with the target, the untrained model and the echo marked on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from autotune.base.format import percent
from autotune.run.state import StudyState
from autotune.screen.layout import Flow

STEP = 0.1
LOWEST_END = 0.5
"""The line ends at 50 %, or at the next tenth above all that is marked on it."""

BEST = "●"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place (0..1) on the line: its sign there, its name below, its style."""

    share: float
    sign: str
    name: str
    style: str = ""

    @property
    def legend(self) -> str:
        """What stands below the line: `T target 25.0 %`."""
        return f"{self.sign} {self.name} {percent(self.share)}"


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """A line from 0 % to its `end`, filled up to what the best counts for (None: none yet).

    `score` is that of the best itself, where it counts for less.
    """

    best: float | None
    marks: Sequence[Mark]
    score: float | None = None

    @property
    def end(self) -> float:
        """The share at the right end."""
        highest = max([self.best or 0.0, *(mark.share for mark in self.marks)], default=0.0)
        return min(1.0, max(LOWEST_END, math.ceil(highest / STEP - 1e-9) * STEP))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the line and what its signs mean."""
        left, right = "0 % ", f" {percent(self.end, 0)}"
        columns = max(4, options.max_width - len(left) - len(right))
        best = self.best or 0.0
        full = self._column(best, columns) if best else -1
        cells = [("━", "green") if at <= full else ("─", "dim") for at in range(columns)]
        if self.best is not None:
            cells[max(full, 0)] = (BEST, "bold green")
        taken: set[int] = {max(full, 0)} if self.best is not None else set()
        for mark in self.marks:
            at = _free(self._column(mark.share, columns), taken, columns)
            taken.add(at)
            cells[at] = (mark.sign, f"bold {mark.style}".strip())
        line = Text(left, no_wrap=True)
        for sign, style in cells:
            line.append(sign, style=style)
        yield line.append(right)
        legend = [Text(mark.legend, style=mark.style) for mark in self.marks]
        if self.best is not None:
            less = "" if self.score is None else f" {percent(self.score)} counts for"
            legend.insert(0, Text(f"{BEST} best{less} {percent(best)}", style="bold green"))
        yield Flow(legend)

    def _column(self, share: float, columns: int) -> int:
        return min(columns - 1, max(0, round(share / self.end * (columns - 1))))


def _free(wanted: int, taken: set[int], columns: int) -> int:
    """The column that is wanted, or the nearest one that no other sign has."""
    near = sorted(range(columns), key=lambda at: (abs(at - wanted), -at))
    return next((at for at in near if at not in taken), wanted)


SIGNS = {"untrained": "u", "echo": "e"}


def score_bar(state: StudyState) -> ScoreBar | None:
    """The bar of a run with a target; None before anything is scored."""
    if state.run is None or not state.run.target or not state.baselines:
        return None
    best = state.best
    counts: float | None = None
    if best is not None and best.score is not None:
        counts = best.score.accuracy if best.counts is None else best.counts
    marks = [Mark(state.run.target, "T", "target", "cyan")]
    for name, scored in sorted(state.baselines.items(), reverse=True):
        sign = SIGNS.get(name, name[:1])
        marks.append(Mark(scored.score.accuracy, sign, name, "yellow"))
    less = best is not None and best.score is not None and best.counts_for_less
    return ScoreBar(counts, marks, best.score.accuracy if best and best.score and less else None)
