"""What is printed when a command is over: the result with all that is needed to judge it."""

from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotune.base.format import counted, kept_percent, percent, safe
from autotune.protocol.result_text import (
    checkpoint_text,
    health_text,
    limits_text,
    score_text,
    shape_text,
)
from autotune.protocol.results import Fit
from autotune.run.folder import RunDir
from autotune.run.state import StudyState
from autotune.screen.encodable import Encodable
from autotune.screen.layout import ByWidth, Section
from autotune.screen.probe_table import probe_table
from autotune.text.conclusions import conclusions, is_met, next_steps, scorer_of
from autotune.text.events import cut_answers, data_warnings, scored
from autotune.text.fit import (
    SPEED_MEANING,
    TIMED_COLUMNS,
    fit_sentence,
    micro_batching_text,
    prediction_sentence,
    time_text,
    timed_cells,
)
from autotune.text.gain import is_no_better
from autotune.text.training_events import advice_lines


def summary(state: StudyState, run_dir: Path) -> RenderableType:
    """The end of a run: verdict, best checkpoint, before and after, report, what to do next."""
    lines: list[RenderableType] = []
    first, *rest = conclusions(state, RunDir(run_dir))
    no_better = is_no_better(state)
    tone = "bold red" if no_better else "bold green" if is_met(state) else "bold yellow"
    lines.append(Text(safe(first), style=tone))
    lines.append(_scores(state))
    best = state.best
    if best is not None:
        folder = RunDir(run_dir).checkpoint(best.number, best.checkpoint)
        at = f"{percent(best.checkpoint.progress, 0)} of training, step {best.checkpoint.step}"
        if best.checkpoint.averaged:
            at = f"{checkpoint_text(best.checkpoint)}, the last of step {best.checkpoint.step}"
        name = "best checkpoint, no improvement" if no_better else "best checkpoint"
        lines.append(_field(name, f"{folder} (trial {best.number}, {at})"))
        if best.unhealthy and best.partial is not None:  # else the conclusions say it
            lines.append(_field("health", limits_text(best.unhealthy), "yellow"))
    lines += [Text(f"- {safe(s)}", style="bold red" if "an echo" in s else "") for s in rest]
    lines += [
        _field("data", line, "bold yellow") for line in data_warnings(state.surveys, state.fit)
    ]
    lines += [_field("data", line) for line in cut_answers(state.fit)]
    lines += [_field("advice", line, "yellow") for line in advice_lines(state)]
    lines.append(_field("report", str(run_dir / "report.html")))
    lines += [_field("next", step) for step in next_steps(state, run_dir)]
    return Encodable(Section("result", Group(*lines)))


def _field(name: str, value: str, style: str = "") -> Text:
    return Text(f"{name}: ", style="dim", overflow="fold").append(safe(value), f"not dim {style}")


def _scores(state: StudyState) -> RenderableType:
    rows: list[tuple[str, str, str]] = []
    best = state.best
    names = {each.name: each.brief for each in scorer_of(state).baselines}
    names["untrained"] = "before training"
    for key in names:
        if base := state.baselines.get(key):
            score = score_text(base.score, base.interval)
            rows.append((names[key], score, health_text(base.health, base.lift)))
    if best is not None and best.score is not None:
        score = score_text(best.score, best.interval)
        name = "best so far, about" if best.partial else "after training"
        rows.append((name, score, health_text(best.health, best.lift)))
        if full := state.best_in_full:
            score = score_text(full.score, full.interval)
            rows.append(
                (f"all of {safe(full.prompts)}", score, health_text(full.health, full.lift))
            )
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


def probe_summary(fit: Fit, *said: str) -> RenderableType:
    """The end of a probe: the answer, its evidence, and what each strategy would take.

    `said` are sentences about the answer: what it may use, and where it is from if not from now.
    """
    strategies = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("strategy", "length x rounds", "answers kept", "micro-batch", "steps", "time"):
        strategies.add_column(name, no_wrap=True)
    narrow: list[Text] = []
    for name, s in fit.strategies.items():
        shape = shape_text(s.model_max_length, s.max_rounds)
        kept = kept_percent(s.kept_supervised)
        cells = (shape, kept, micro_batching_text(s), str(s.steps), time_text(s))
        line = f"{shape}  {counted(s.steps, 'step')}  {time_text(s)}"
        if not s.planned:
            line = "only where no other fits" if s.fits else "does not fit"
            if not s.conversations:
                line = f"no answer is left at {s.model_max_length} tokens"
            cells = (line, "", "", "", "")
        strategies.add_row(Text(safe(name), style="bold"), *map(Text, cells))
        narrow.append(Text(f"{safe(name)}  {line}"))
    predicted = prediction_sentence(fit)
    timed = any(s.eta_single_seconds is not None for s in fit.strategies.values())
    lines: list[RenderableType] = [
        Text(safe(fit_sentence(fit)), style="bold green"),
        *(Text(safe(sentence), style="dim") for sentence in said if sentence),
        *([Text(predicted, style="dim")] if predicted else []),
        *(_field("data", line, "bold yellow") for line in data_warnings((), fit)),
        *(_field("data", line) for line in cut_answers(fit)),
        probe_table(fit.trials),
        *([Text(SPEED_TITLE), speed_table(fit)] if fit.speed_trials else []),
        Text(SPEED_MEANING, style="dim"),
        ByWidth(90, strategies, Group(*narrow)),
        Text(
            "Times are at most: measured speed x work, every answer as long as it may be; a run"
            " corrects them by the untrained model's answers and by its trials."
            + (" Arrows: one sequence per micro-batch -> the fastest setting." if timed else ""),
            style="dim",
        ),
    ]
    return Encodable(Section("what fits", Group(*lines)))


SPEED_TITLE = (
    "micro-batch settings, timed on typical batches (the fastest again, in a new process):"
)


def speed_table(fit: Fit) -> RenderableType:
    """Each micro-batch setting that was timed: on what, its peak, its verdict, its speed."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in TIMED_COLUMNS:
        table.add_column(name, no_wrap=True, justify="left" if name == "verdict" else "right")
    narrow: list[Text] = []
    for outcome in fit.speed_trials:
        cells = timed_cells(outcome)
        table.add_row(*map(Text, cells))
        narrow.append(Text("  ".join(cells) + " tokens/s"))
    return ByWidth(table, table, Group(*narrow))
