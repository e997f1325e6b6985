"""The work in progress, drawn: its name, how far it is, its figures, its curve, its time left."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from autotune.base.format import safe
from autotune.screen.job import Job
from autotune.screen.layout import Bar, Flow, Section
from autotune.screen.sparkline import sparkline


def job_panel(
    job: Job | None, whole: str | None, advice: str | None = None
) -> RenderableType | None:
    """The work in progress, the rest of the run, and the newest advice."""
    if job is None:
        return None
    title = [Text(safe(job.title), style="bold")]
    if job.total:
        title.append(Text(f"{job.unit} {job.done}/{job.total}", style="bold"))
    lines: list[RenderableType] = [Flow(title)]
    if job.total:
        lines.append(Bar(job.done / job.total, "cyan"))
    figures = [*job.details, *([job.left.text] if job.left else [])]
    if figures:
        lines.append(Flow([Text(safe(figure)) for figure in figures]))
    if len(job.curve) > 1:
        lines.append(LossCurve(job.curve))
    if whole is not None:
        lines.append(Text(safe(whole), style="dim"))
    if advice is not None:
        lines.append(Text(f"advice: {safe(advice)}", style="yellow"))
    return Section("now", Group(*lines))


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The losses of a training as a sparkline between the first and the last one."""

    losses: Sequence[float]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in one line."""
        before, after = f"loss {self.losses[0]:.3f} ", f" {self.losses[-1]:.3f}"
        columns = max(1, options.max_width - len(before) - len(after))
        line = Text(before, style="dim", no_wrap=True)
        yield line.append(sparkline(self.losses, columns), style="not dim cyan").append(after)
