"""Lines beside the work: what was found in the data, last events, why and what figures mean."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
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
    lines = [s for record in state.recent if (s := describe(record, state)) is not None]
    if not (shown := [safe(line) for line in lines[-count:]]):
        return None
    return Section("last events", Group(*map(Text, shown)))
