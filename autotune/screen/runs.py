"""The runs of a folder as a table: state, best score with n, target, age, name."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autotune.base.format import about, counted, percent, safe
from autotune.protocol.result_text import score_text
from autotune.protocol.scores import Metric
from autotune.run.overview import RunOverview, Standing
from autotune.screen.encodable import Encodable
from autotune.screen.layout import ByWidth, Flow, plain_table
from autotune.text.gain import gain_in_full, gain_of_best, is_no_better

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
    run = found.run
    return {
        "run": Text(safe(found.folder.name)),
        "state": _state(found),
        "best": Text(_best(found)),
        "target": Text(percent(run.target) if run is not None and run.target else ""),
        "trials": Text(str(found.trials) if found.trials else ""),
        "age": Text("" if found.last is None else age_text(now - found.last)),
    }


def no_better(found: RunOverview) -> bool | None:
    """Whether the best of a run is no better than the untrained model; None where not known."""
    state = found.state
    if state is None or (gain_in_full(state) or gain_of_best(state)) is None:
        return None
    return is_no_better(state)


def _state(found: RunOverview) -> Text:
    """How a run stands; of one that is over first that nothing was gained by it."""
    style, standing = STYLES.get(found.standing, ""), found.standing.value
    if found.purpose != "run":
        standing = f"{standing} ({found.purpose})"
    if found.standing in (Standing.DONE, Standing.MET):
        if found.met_in_full and found.standing is Standing.DONE:
            standing += ", met on all"
        elif found.met_in_full is False and found.standing is Standing.MET:
            standing, style = "not met on all", "yellow"
        if no_better(found):
            standing, style = f"no better, {standing}", "yellow"
    return Text(standing, style=style)


def _best(found: RunOverview) -> str:
    """The best score: on all prompts of a source, where it was taken there."""
    if (scored := found.evaluated) is not None:
        return score_text(scored.score, scored.interval)
    best, full = found.best, found.in_full
    if full is not None:
        return _worth(full.score, full.interval, full.counts)
    if best is None or best.score is None:
        return ""
    text = _worth(best.score, best.interval, best.counts)
    return text if best.partial is None else f"~{text}"


def _worth(score: Metric, interval: tuple[float, float] | None, counts: float | None) -> str:
    """A score, and what it counts for where that is less."""
    text = score_text(score, interval)
    if counts is None or counts >= score.accuracy:
        return text
    return f"{text} counts for {percent(counts)}"


def age_text(seconds: float) -> str:
    """How long ago: `under a minute ago`, `3 min ago`, `5 h 10 min ago`, `2 days ago`."""
    if seconds >= DAY_SECONDS:
        return f"{counted(int(seconds // DAY_SECONDS), 'day')} ago"
    return f"{about(max(0.0, seconds)).removeprefix('about ')} ago"
