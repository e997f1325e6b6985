"""What is printed when a command is over: the result with all that is needed to judge it."""

from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotune.budget import Budget, show_size
from autotune.figures import about, health_text, percent, safe, score_text, shape_text
from autotune.outcome import Fit
from autotune.sentences import (
    checkpoint_path,
    conclusions,
    fit_sentence,
    next_steps,
    scored,
)
from autotune.study import StudyState
from autotune.view.encodable import Encodable
from autotune.view.panels import ByWidth, Section, probe_table


def summary(state: StudyState, run_dir: Path) -> RenderableType:
    """The end of a run: verdict, best checkpoint, before and after, report, what to do next."""
    lines: list[RenderableType] = []
    met = state.ended.met if state.ended else bool(state.best and state.best.met)
    first, *rest = conclusions(state)
    lines.append(Text(safe(first), style="bold green" if met else "bold yellow"))
    lines.append(_scores(state))
    best = state.best
    if best is not None:
        folder = checkpoint_path(run_dir, best.checkpoint.folder)
        at = f"{percent(best.checkpoint.progress, 0)} of training, step {best.checkpoint.step}"
        lines.append(_field("best checkpoint", f"{folder} (trial {best.number}, {at})"))
        if best.unhealthy:
            lines.append(_field("unhealthy", "; ".join(best.unhealthy), "yellow"))
    lines += [Text(f"- {safe(s)}", style="bold red" if "an echo" in s else "") for s in rest]
    lines.append(_field("report", str(run_dir / "report.html")))
    lines += [_field("next", step) for step in next_steps(state, run_dir)]
    return Encodable(Section("result", Group(*lines)))


def _field(name: str, value: str, style: str = "") -> Text:
    return Text(f"{name}: ", style="dim", overflow="fold").append(safe(value), f"not dim {style}")


def _scores(state: StudyState) -> RenderableType:
    rows: list[tuple[str, str, str]] = []
    best = state.best
    names = {"echo": "prompt given back", "untrained": "before training"}
    for key in ("echo", "untrained"):
        if base := state.baselines.get(key):
            score = score_text(base.prompt_strict, base.interval)
            rows.append((names[key], score, health_text(base.health)))
    if best is not None and best.prompt_strict is not None:
        score = score_text(best.prompt_strict, best.interval)
        rows.append(("after training", score, health_text(best.health)))
    elif state.trials:
        rows.append(("after training", "no valid score", scored(best) if best else ""))
    if not rows:
        return Text("nothing scored yet", style="dim")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("", "prompts passed [95 %]", "health of answers"):
        table.add_column(name)
    for row in rows:
        table.add_row(*map(Text, row))
    narrow = Group(*(Text(f"{name}: {score}  {health}") for name, score, health in rows))
    return ByWidth(86, table, narrow)


def probe_summary(fit: Fit, budget: Budget) -> RenderableType:
    """The end of a probe: the answer, its evidence, and what each strategy would take."""
    strategies = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("strategy", "length x rounds", "conversations", "answers kept", "steps", "time"):
        strategies.add_column(name, no_wrap=True)
    narrow: list[Text] = []
    for name, s in fit.strategies.items():
        shape = shape_text(s.model_max_length, s.max_rounds)
        time = about(s.eta_seconds)
        kept = percent(s.kept_supervised)
        if s.fits:
            cells = (shape, str(s.conversations), kept, str(s.steps), time)
        else:
            cells = ("does not fit", "", "", "", "")
        strategies.add_row(Text(safe(name), style="bold"), *map(Text, cells))
        line = f"{shape}  {s.steps} steps  {time}" if s.fits else "does not fit"
        narrow.append(Text(f"{safe(name)}  {line}"))
    body = Group(
        Text(safe(fit_sentence(fit)), style="bold green"),
        Text(
            f"budget {show_size(budget.limit_bytes)}: {show_size(budget.total_bytes)} less"
            f" {show_size(budget.reserve_bytes)} reserve ({safe(budget.source)})",
            style="dim",
        ),
        probe_table(fit.trials),
        ByWidth(80, strategies, Group(*narrow)),
        Text("Times are estimates from the measured speed of the trial steps.", style="dim"),
    )
    return Encodable(Section("what fits", body))
