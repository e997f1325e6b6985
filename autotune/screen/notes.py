"""Lines beside the work: what was found in the data, last events, why and what figures mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from autotune.base.format import safe
from autotune.run.state import StudyState
from autotune.screen.job import Job
from autotune.screen.layout import Section
from autotune.text.events import data_lines, describe
from autotune.text.gain import NOT_BETTER, is_no_better


def no_gain(state: StudyState) -> Text | None:
    """At the end, and before all else: that the best is no better than the untrained model."""
    if state.ended is None or not is_no_better(state):
        return None
    return Text(f"the best checkpoint is {NOT_BETTER}", style="bold red")


def newest_advice(state: StudyState) -> str | None:
    """The last advice on the trial in progress, which stays in sight when events move on."""
    given = state.current.telemetry.advice if state.current else []
    return given[-1].message if given else None


def interrupted(job: Job) -> Text:
    """What would be worked at, where nobody works."""
    return Text(f"interrupted, nobody works at it now; next: {safe(job.title)}", style="yellow")


def dim_lines(lines: Sequence[str]) -> RenderableType | None:
    """Sentences that explain, dim; None of none."""
    return Group(*(Text(safe(line), style="dim") for line in lines)) if lines else None


@dataclass(frozen=True, slots=True)
class InTurn:
    """One of some sentences that explain, dim: the `turn`-th, and after the last the first again.

    A `steady` one takes as many lines as the longest of them, so that nothing moves when another
    has its turn.
    """

    sentences: Sequence[str]
    turn: int
    steady: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it at the width that there is."""
        dim = [Text(safe(sentence), style="dim") for sentence in self.sentences]
        wrapped = [text.wrap(console, options.max_width) for text in dim]
        lines = wrapped[self.turn % len(wrapped)]
        yield from lines
        if self.steady:
            yield from [Text()] * (max(map(len, wrapped)) - len(lines))


def data_notes(state: StudyState, count: int) -> RenderableType | None:
    """The first `count` findings in the data, and how many more the report lists."""
    if not (lines := data_lines(state.surveys, state.fit)):
        return None
    shown = [safe(line) for line in lines[:count]]
    if len(lines) > count:
        shown[-1] += f" (and {len(lines) - count} more, see the report)"
    return Section("found in the data", Group(*map(Text, shown)))


def recent_events(state: StudyState, count: int) -> RenderableType | None:
    """The last noteworthy records as sentences, newest last."""
    if not (shown := _events(state)[-count:]):
        return None
    return Section("last events", Group(*map(Text, shown)))


def last_event(state: StudyState) -> Text | None:
    """The last of them without a frame."""
    if not (found := _events(state)):
        return None
    return Text(f"last event: {found[-1]}")


def _events(state: StudyState) -> list[str]:
    return [safe(s) for record in state.recent if (s := describe(record, state)) is not None]
