"""A dry run on one screen: its trials, their hours, the disk, and what would stop it."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotune.base.format import (
    about,
    at_most,
    counted,
    duration,
    kept_percent,
    rate_text,
    safe,
    strategies_text,
)
from autotune.fit.planned_practice import PlannedPractice
from autotune.fit.run_plan import PlannedTrial, RunPlan, Span
from autotune.protocol.plan import SEARCH
from autotune.protocol.result_text import shape_text
from autotune.protocol.results import Fit
from autotune.screen.encodable import Encodable
from autotune.screen.layout import ByWidth, Section

_WIDE = ("trial", "length x rounds", "learning rate", "rows used", "kept", "steps", "scored")
_TIMES = ("time", "ends")
"""The headings: `kept` of the supervised tokens, `scored` checkpoints and averages."""

_NARROW = ("trial", "length", "rows", "kept", "steps", "scored")


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """A plan with all that is said of it.

    Attributes:
        plan: the trials.
        fit: what fits, None where nothing does.
        basis: where that and the times come from.
        measured: whether a probe measured them.
        timed: whether anything says how long the trials take.
        profile: its name.
        run_dir: the run that would be resumed, None for a new one.
        memory: what may be used.
        now: when it was planned, seconds since the epoch.
        disk: what the run needs and what is free, in words; None where that is unknown.
        disk_bytes: both.
        stop_at_target: whether the run ends as soon as the target is met.
        practice: the practice data that would be made first, None where none would.
    """

    plan: RunPlan
    fit: Fit | None
    basis: str
    measured: bool
    timed: bool
    profile: str
    run_dir: Path | None
    memory: str
    now: float
    disk: str | None = None
    disk_bytes: tuple[int, int] | None = None
    stop_at_target: bool = True
    practice: PlannedPractice | None = None


def dry_run_summary(found: DryRun) -> RenderableType:
    """The whole of it; first that nothing was started, last what would stop it."""
    plan = found.plan
    kind = "a dry run" if found.measured else "a dry run, an estimate that no probe has measured"
    lines: list[RenderableType] = [
        Text(f"{kind}: profile {found.profile}, nothing was started", style="bold yellow"),
        Text(safe(found.memory), style="dim"),
        Text(safe(_basis(found)), style="dim"),
    ]
    if found.run_dir is not None:
        over = counted(plan.over, "trial")
        lines.append(Text(f"resumes {safe(str(found.run_dir))}: {over} over, not repeated"))
    if found.practice is not None:
        lines.append(Text(safe(_practice(found.practice, plan.practice))))
    if plan.trials:
        lines.append(_table(found))
    if any(not trial.exact for trial in plan.trials):
        middle = "search, and *: drawn; what is in the middle of the ranges stands here"
        lines.append(Text(middle, style="dim"))
    if found.timed and plan.trials:
        lines.append(Text(_times(found), style="bold"))
        if _has_bound(plan):
            lines.append(Text(_bound(found)))
    if plan.overrun is not None and found.timed:
        lines.append(Text(f"limit: {safe(plan.overrun)}", style="yellow"))
    if plan.ends is not None:
        unbegun = ", ".join(_name(trial) for trial in plan.trials if not trial.count)
        lines.append(Text(f"ends by: {safe(plan.ends)}{unbegun and f'; not begun: {unbegun}'}"))
    if found.disk is not None:
        lines.append(Text(found.disk))
    if plan.obstacle is None:
        lines.append(Text("nothing that is known now would stop it", style="bold green"))
    else:
        stop = f"would stop it (exit {int(plan.obstacle.code)}): {safe(plan.obstacle.reason)}"
        lines.append(Text(stop, style="bold red"))
    return Encodable(Section("plan of the run", Group(*lines)))


def _basis(found: DryRun) -> str:
    if found.fit is None:
        return found.basis
    # Of how many rounds a conversation stays whole there is a strategy's affair: its row says it.
    return f"fits sequences of up to {found.fit.model_max_length} tokens; {found.basis}"


def _practice(practice: PlannedPractice, time: Span) -> str:
    """What is asked for practice data, what comes of it, and how long that takes: estimates."""
    span = f"{about(time.likely)} (an estimate)" if time.likely else "no rate is known yet"
    return (
        f"first practice data for {strategies_text(practice.strategies)}:"
        f" {counted(practice.answers, 'answer')} of at most {practice.max_new_tokens} tokens,"
        f" {span}; about {counted(practice.chats, 'chat')} are expected of it,"
        f" {practice.prompts} at most"
    )


def _times(found: DryRun) -> str:
    plan = found.plan
    first = next(trial.seconds for trial in plan.trials)
    end = _clock(found.now + plan.seconds, found.now)
    text = f"expected: {about(plan.seconds)}, until {end}"
    text += (
        ", if no trial meets the target before" if found.stop_at_target else ", target met or not"
    )
    if len(plan.trials) > 1 and found.stop_at_target:
        text += f"; {about(plan.preparing.likely + first)} if the first does"
    return text + ("" if found.measured else "; a probe of some minutes comes before it")


def _has_bound(plan: RunPlan) -> bool:
    return plan.most_seconds > plan.seconds * 1.01


def _bound(found: DryRun) -> str:
    """The bound, and what the expected time takes instead."""
    plan = found.plan
    end = _clock(found.now + plan.most_seconds, found.now)
    chats = " and every prompt of practice gives a chat" if found.practice else ""
    return (
        f"{at_most(plan.most_seconds)}, until {end}, if every answer is as long as it may be{chats}"
        "; expected are lengths that were seen elsewhere"
    )


def _table(found: DryRun) -> RenderableType:
    """A line a trial; those that no limit lets begin are dim. Narrow ones leave the rate out."""
    rows: list[tuple[PlannedTrial, tuple[str, ...]]] = []
    passed = found.plan.preparing.likely
    for trial in found.plan.trials:
        passed += trial.seconds
        rows.append((trial, _cells(trial, found, passed)))
    times = _TIMES if found.timed else ()
    wide = _drawn((*_WIDE, *times), rows)
    short = [(trial, (*cells[:2], *cells[3:])) for trial, cells in rows]
    narrow = _drawn((*_NARROW, *times), short)
    lines = (Text("  ".join(cells), style=_style(trial)) for trial, cells in short)
    return ByWidth(wide, wide, ByWidth(narrow, narrow, Group(*lines)))


def _drawn(names: tuple[str, ...], rows: list[tuple[PlannedTrial, tuple[str, ...]]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, justify="left" if name == "trial" else "right", no_wrap=True)
    for trial, cells in rows:
        table.add_row(*(Text(cell, style=_style(trial)) for cell in cells))
    return table


def _style(trial: PlannedTrial) -> str:
    return "" if trial.count else "dim"


def _name(trial: PlannedTrial) -> str:
    """Its strategy, with a star where it is drawn."""
    return safe(trial.stage) if trial.exact or trial.stage == SEARCH else f"{safe(trial.stage)}*"


def _cells(trial: PlannedTrial, found: DryRun, passed: float) -> tuple[str, ...]:
    """A trial under `_WIDE` and `_TIMES`; `passed` are the seconds until it ends."""
    plan = trial.plan
    name = _name(trial)
    end = _clock(found.now + passed, found.now) if trial.count else "not begun"
    times = (_span(trial.expected.seconds), end) if found.timed else ()
    return (
        f"{trial.count} x {name}" if trial.count > 1 else name,
        shape_text(plan.model_max_length, plan.max_rounds),
        rate_text(plan.learning_rate) if trial.exact else "drawn",
        f"{plan.conversations}/{trial.of}",
        kept_percent(trial.kept_supervised),
        str(plan.total_steps),
        f"{trial.checkpoints}+1" if plan.averaged else str(trial.checkpoints),
        *times,
    )


def _span(seconds: float) -> str:
    """A time span to the minute, where it has some."""
    return duration(seconds) if seconds < 60 else duration(60 * round(seconds / 60))


def _clock(moment: float, now: float) -> str:
    """The time of day here, with the days until then: `02:15 +1 d`."""
    then, today = time.localtime(moment), time.localtime(now)
    midnight = time.mktime((*today[:3], 0, 0, 0, 0, 0, -1))
    days = int((moment - midnight) // 86_400)
    return time.strftime("%H:%M", then) + (f" +{days} d" if days else "")
