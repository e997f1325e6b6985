"""The trials of a study with their scores as one table, with as many columns as there is room."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from autotune.base.format import interval_text, percent, rate_text, safe
from autotune.protocol import events
from autotune.protocol.result_text import points_text, shape_text
from autotune.protocol.results import Health, Verdict
from autotune.protocol.scores import Lift, Metric
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState
from autotune.screen.layout import Section
from autotune.text.events import trial_verdict
from autotune.text.score import partial_text

Row = dict[str, Text]
"""The cells of a row by their columns; what is missing stays empty."""

COLUMNS = (
    *("trial", "lr", "length", "steps", "loss", "at", "passed", "strict", "95 %", "counts"),
    *("shuffled", "lift", "stop", "loop", "echo", "empty", "trivial", "verdict"),
)
"""All headings, from left to right; those without a cell are left out."""

LEFT = {"trial", "95 %", "verdict"}
"""Columns that are aligned at their left; numbers are at their right."""

DROPPED = (
    *("empty", "trivial", "length", "echo", "loop", "lr", "shuffled", "stop", "loss", "steps"),
    *("lift", "95 %", "counts", "passed"),
)
"""In which order columns give way where there is no room for all; a second checkpoint has no other
name than where it is `at`."""

LEAST = ("trial", "at", "passed", "strict", "verdict")
"""These stand closer together before another of them gives way."""

ESTIMATE = "~"
"""Before the share of a checkpoint that was not answered to its end."""


SHOWN_IN_TABLE = {"training", "scoring", "target met", "below target", "no valid score"}
"""Verdicts of which the table says all."""


@dataclass(frozen=True, slots=True)
class StudyTable:
    """Rows of `COLUMNS`, less those for which the terminal is too narrow."""

    rows: Sequence[Row]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it at the width that there is; as lines where not even the least columns fit."""
        chosen, gap = self.fitting(options.max_width)
        if gap == 0:
            for row in self.rows:
                yield Text(" ").join(row[name] for name in chosen if name in row)
            return
        table = Table(
            box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0)
        )
        for name in chosen:
            table.add_column(name, no_wrap=True, justify="left" if name in LEFT else "right")
        for row in self.rows:
            table.add_row(*(row.get(name, Text()) for name in chosen))
        yield table

    def fitting(self, columns: int) -> tuple[list[str], int]:
        """Which headings fit and how far apart (2 or 1); 0 where there is no room for a table."""
        used = [name for name in COLUMNS if any(name in row for row in self.rows)]
        widths = {
            name: max(len(name), *(cell_len(row[name].plain) for row in self.rows if name in row))
            for name in used
        }
        least = [name for name in used if name in LEAST]
        for dropped in range(len(DROPPED) + 1):
            chosen = [name for name in used if name not in DROPPED[:dropped]]
            whole = sum(widths[name] for name in chosen)
            for gap in (2, 1) if set(chosen) <= set(least) else (2,):
                if whole + gap * (len(chosen) - 1) <= columns:
                    return chosen, gap
        return least, 0


def study_rows(
    trials: Sequence[TrialState],
    baselines: Sequence[events.BaselineScored],
    *,
    best_only: bool = False,
) -> list[Row]:
    """A row for each scored checkpoint (or the best) of each trial, and one for each baseline."""
    rows: list[Row] = []
    for trial in trials:
        scores = [e for _, e in sorted(dict(trial.evaluations).items())]
        best = trial.best_scored
        if best_only and best is not None:
            scores = [best]
        first = _trial_cells(trial)
        own = [first | _score_cells(scores[0]) if scores else first]
        own += [_score_cells(e) for e in scores[1:]]
        verdict, style = short_verdict(trial)
        own[0]["verdict"] = Text(verdict, style=style)
        rows += own
    return rows + [_baseline_cells(each) for each in baselines]


def _trial_cells(trial: TrialState) -> Row:
    plan, last = trial.plan, trial.last_step
    cells = {
        "trial": Text(f"{trial.number} {safe(plan.strategy)}", style="bold"),
        "lr": Text(rate_text(plan.learning_rate)),
        "length": Text(shape_text(plan.model_max_length, plan.max_rounds)),
        "steps": Text(str(plan.total_steps)),
    }
    if last is not None and not trial.is_training:
        cells["steps"] = Text(f"{last.step}/{plan.total_steps}")
        cells["loss"] = Text(f"{last.loss:.3f}")
    return cells


def _score_cells(e: events.Evaluated) -> Row:
    mean = e.checkpoint.averaged
    at = f"mean {mean}" if mean else percent(e.checkpoint.progress, 0)
    cells = {"at": Text(at)}
    if e.score is None:
        return cells | {"strict": Text("none", style="yellow")}
    style = "green" if e.met else "yellow" if e.unhealthy else ""
    cells |= _figures(e.score, e.interval, e.health, e.lift, style)
    if e.partial is not None and not e.partial.is_decided:
        cells["strict"] = Text(ESTIMATE + percent(e.score.accuracy), style=style)
    if e.counts_for_less:
        cells["counts"] = Text(percent(e.counts or 0.0), style="yellow")
    return cells


def _baseline_cells(scored: events.BaselineScored) -> Row:
    name = {"trial": Text(scored.name, style="dim")}
    return name | _figures(scored.score, scored.interval, scored.health, scored.lift, "dim")


def _figures(
    score: Metric,
    interval: tuple[float, float] | None,
    health: Health | None,
    lift: Lift | None,
    style: str,
) -> Row:
    cells = {
        "passed": Text(f"{score.passes}/{score.total}", style=style),
        "strict": Text(percent(score.accuracy), style=style),
    }
    if interval is not None:
        cells["95 %"] = Text(interval_text(interval, score.total), style=style)
    if lift is not None:
        cells["shuffled"] = Text(percent(lift.shuffled.accuracy))
        cells["lift"] = Text(points_text(lift))
    if health is not None:
        shares = {"stop": health.stop, "loop": health.loop, "echo": health.echo}
        shares |= {"empty": health.empty or None, "trivial": health.vacuous or None}
        cells |= {name: Text(percent(x, 0)) for name, x in shares.items() if x is not None}
    return cells


def short_verdict(trial: TrialState) -> tuple[str, str]:
    """Where a trial stands in a word, and its style; what is longer stands in `reasons`."""
    verdict = trial_verdict(trial)
    if verdict in ("training", "scoring"):
        return verdict, ""
    best = trial.best_scored
    if trial.failure is not None:
        return "failed", "red"
    if best is not None and best.checkpoint.place in trial.lost:
        return "lost", "red"
    if best is not None and best.met:
        return "met", "green"
    if trial.pruned is not None:
        return "ended", "yellow"
    return ("none", "yellow") if best is None else ("below", "yellow" if best.lacks else "")


def reasons(trials: Sequence[TrialState]) -> list[Text]:
    """Why trials and checkpoints came to nothing, a line each, to be wrapped and never cut."""
    lines = []
    for trial in trials:
        name = f"trial {trial.number} ({safe(trial.plan.strategy)})"
        _, style = short_verdict(trial)
        verdict = trial_verdict(trial)
        if verdict not in SHOWN_IN_TABLE and not verdict.startswith("below target, counts"):
            lines.append(Text(f"{name}: {safe(verdict)}", style=style or "dim"))
        for _, e in sorted(dict(trial.evaluations).items()):
            at = f"{name}, {percent(e.checkpoint.progress, 0)}"
            if e.score is None:
                lines.append(Text(f"{at}: no valid score: {safe(e.problem or '')}", style="yellow"))
            elif e.partial is not None and not e.partial.is_decided:
                why = partial_text(e.score, e.partial)
                lines.append(Text(f"{at}: {ESTIMATE} an estimate, {safe(why)}", style="dim"))
    return lines


def verdict_style(verdict: str) -> str:
    """Green for what fits, red for any other verdict of the probe."""
    return "green" if verdict == Verdict.FITS else "red"


def study_section(
    state: StudyState,
    trials: Sequence[TrialState],
    *,
    best_only: bool = False,
    baselines: bool = True,
) -> RenderableType:
    """The table with the baselines to hold scores against, and the reasons below it."""
    compared = [each for _, each in sorted(state.baselines.items())] if baselines else []
    rows = study_rows(trials, compared, best_only=best_only)
    parts: list[RenderableType] = [StudyTable(rows)] if rows else []
    if not trials:
        parts.append(Text("no trial yet", style="dim"))
    return Section("study", Group(*parts, *reasons(trials)))
