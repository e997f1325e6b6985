"""The runs of a folder as a table: state, best score with n, target, age, name."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autotune.base.format import about, counted, percent, safe
from autotune.protocol.result_text import score_text
from autotune.run.overview import RunOverview, Standing
from autotune.screen.encodable import Encodable
from autotune.screen.layout import ByWidth, Flow, plain_table

STYLES = {
    Standing.RUNNING: "bold cyan",
    Standing.INTERRUPTED: "yellow",
    Standing.MET: "green",
    Standing.UNREADABLE: "red",
}

DAY_SECONDS = 86_400
WHOLE, SHORT = ("run", "state", "best", "target", "trials", "age"), ("run", "state", "best", "age")


def runs_table(found: Sequence[RunOverview], now: float) -> RenderableType:
    """A line a run where there is room, else a line of figures below each name; then problems."""
    rows = [_cells(each, now) for each in found]
    lines: list[RenderableType] = []
    for row in rows:
        lines.append(Text(row["run"].plain, style="bold", overflow="fold"))
        figures = [row[name] for name in SHORT[1:] if row[name].plain]
        lines.append(Padding(Flow(figures), (0, 0, 0, 2), expand=False))
    whole, short = _table(rows, WHOLE), _table(rows, SHORT)
    problems = [
        Text(f"{safe(each.folder.name)}: {safe(each.problem)}", style="red", overflow="fold")
        for each in found
        if each.problem
    ]
    table = ByWidth(whole, whole, ByWidth(short, short, Group(*lines)))
    return Encodable(Group(table, *problems))


def _table(rows: Sequence[dict[str, Text]], names: Sequence[str]) -> Table:
    table = plain_table()
    for name in names:
        right = name in ("target", "trials", "age")
        table.add_column(name, no_wrap=True, justify="right" if right else "left")
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def _cells(found: RunOverview, now: float) -> dict[str, Text]:
    run, best = found.run, found.best
    score = ""
    if best is not None and best.score is not None:
        score = f"{'~' if best.partial is not None else ''}{score_text(best.score, best.interval)}"
        if best.counts_for_less:
            score += f" counts for {percent(best.counts or 0.0)}"
    standing = found.standing.value
    if found.purpose != "run":
        standing = f"{standing} ({found.purpose})"
    return {
        "run": Text(safe(found.folder.name)),
        "state": Text(standing, style=STYLES.get(found.standing, "")),
        "best": Text(score),
        "target": Text(percent(run.target) if run is not None and run.target else ""),
        "trials": Text(str(found.trials) if found.trials else ""),
        "age": Text("" if found.last is None else age_text(now - found.last)),
    }


def age_text(seconds: float) -> str:
    """How long ago: `under a minute ago`, `3 min ago`, `5 h 10 min ago`, `2 days ago`."""
    if seconds >= DAY_SECONDS:
        return f"{counted(int(seconds // DAY_SECONDS), 'day')} ago"
    return f"{about(max(0.0, seconds)).removeprefix('about ')} ago"
