"""The parts of the screen, each drawn from the state: built immediately, laid out to the width."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autotune.base.format import duration, percent, rate_text, safe
from autotune.protocol.result_text import health_text, score_text, shape_text
from autotune.protocol.results import TrialOutcome, Verdict
from autotune.run.state import StudyState
from autotune.run.trial_state import TrialState
from autotune.screen.device_sample import DeviceSample
from autotune.screen.progress import Job
from autotune.text.events import data_lines, describe, trial_verdict
from autotune.text.fit import PROBE_COLUMNS, probe_cells
from autotune.text.score import partial_text
from autotune.text.training_events import power_text

TABLE_COLUMNS = 118
"""Columns that the study table needs to keep each score on one line."""
COUNTS_COLUMNS = 36
"""Columns more where a score counts for less than itself: beside it, and in a longer verdict."""
FRAME_COLUMNS = 50
"""Below this many columns a frame costs more than it orders."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part: framed where there is room, under a plain heading where there is not."""

    title: str
    body: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it at the width that there is."""
        if options.max_width < FRAME_COLUMNS:
            yield Text(self.title, style="bold cyan")
            yield self.body
        else:
            title = Text(self.title, style="bold cyan")
            yield Panel(self.body, title=title, title_align="left", border_style="dim")


UNBOUNDED = 10_000
"""Columns in which nothing is squeezed."""


@dataclass(frozen=True, slots=True)
class ByWidth:
    """Two drawings of one thing: the first where it has its width, else the second.

    `needs` is that width in columns, or a table that shall not be squeezed.
    """

    needs: int | Table
    wide: RenderableType
    narrow: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the one that suits the width."""
        needs = self.needs
        if isinstance(needs, Table):
            needs = console.measure(needs, options=options.update(width=UNBOUNDED)).maximum
        yield self.wide if options.max_width >= needs else self.narrow


def header(state: StudyState, now: float) -> RenderableType:
    """What is run on what for which target: names, not results."""
    run = state.run
    if run is None:
        asked = f"  practice data of {safe(state.practice.model)}" if state.practice else ""
        return Text("smolsft-autotune", style="bold", overflow="fold").append(asked, style="dim")
    tried = Text(" > ").join(
        Text(safe(name), style="bold" if name == state.strategy else "dim")
        for name in run.strategies
    )
    own = state.own_surveys.get(state.strategy or "")
    parts: list[tuple[str, Text]] = [
        *([("target", Text(percent(run.target), style="bold"))] if run.target else []),
        ("strategy", tried),
        ("profile", Text(safe(run.profile))),
        ("model", Text(safe(run.model))),
        ("data", Text(safe(own.data if own else run.data))),
        ("prompts", Text(f"{safe(run.prompts)} ({run.prompt_count})")),
    ]
    if state.started is not None:
        parts.append(("since start", Text(duration(now - state.started))))
    line = Text(overflow="fold").append("smolsft-autotune", style="bold magenta")
    for name, value in parts:
        line.append(f"  {name} ", style="dim").append_text(value)
    return line


def device(state: StudyState, sample: DeviceSample) -> RenderableType:
    """The device's name, its memory against the limit with a bar, heat and power."""
    named = state.run or state.practice
    name, note = named.device if named else "device", sample.note
    if note.startswith(name) or named is None:
        name, note = note or name, ""
    share = sample.share
    over = share is not None and share > 1
    heat = "n/a" if sample.temperature_c is None else f"{sample.temperature_c:.0f} C"
    power = power_text(sample.power_watts, sample.limit_watts)
    text = Text(overflow="fold").append(safe(name), style="bold")
    text.append(f"  memory {sample.memory}", style="red" if over else "")
    text.append(f"  temperature {heat}  power {power}", style="dim")
    if sample.throttled_by:
        text.append(f"  throttled by {', '.join(sample.throttled_by)}", style="yellow")
    if sample.on_battery:
        text.append("  on battery", style="bold yellow")
    if note:
        text.append(f"  {safe(note)}", style="yellow")
    if share is None:
        return text
    return Group(text, bar(share, "red" if over else "green", "memory"))


def bar(share: float, style: str, name: str = "") -> RenderableType:
    """A bar as wide as there is room, with its percent, so that it also speaks without colour."""
    drawn = ProgressBar(
        total=1.0, completed=min(share, 1.0), complete_style=style, finished_style=style
    )
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    if name:
        grid.add_column(width=len(name), style="dim")
    grid.add_column(ratio=1)
    grid.add_column(justify="right", width=6)
    grid.add_row(*([name] if name else []), drawn, percent(share, 0))
    return grid


def job_panel(
    job: Job | None, whole: str | None, advice: str | None = None
) -> RenderableType | None:
    """The work in progress with a bar, its numbers, its ETA, the rest, and the newest advice."""
    if job is None:
        return None
    count = f"  {job.unit} {job.done}/{job.total}" if job.total else ""
    lines: list[RenderableType] = [Text(safe(job.title), style="bold").append(count)]
    if job.total:
        lines.append(bar(job.done / job.total, "cyan"))
    known = f"ETA {duration(job.eta_seconds)}" if job.eta_seconds is not None else "ETA n/a"
    details = [*job.details, known] if job.total else list(job.details)
    if details:
        lines.append(Text("  ".join(safe(d) for d in details)))
    if whole is not None:
        lines.append(Text(safe(whole), style="dim"))
    if advice is not None:
        lines.append(Text(f"advice: {safe(advice)}", style="yellow"))
    return Section("now", Group(*lines))


def verdict_style(verdict: str) -> str:
    """Green for success, red for failure, yellow for what needs a look."""
    if verdict in ("target met", Verdict.FITS):
        return "green"
    if verdict.startswith(("not a success", "no valid")):
        return "yellow"
    return "red" if verdict.startswith(("failed", "training ended")) else ""


def checkpoint_lines(trial: TrialState, best_only: bool) -> list[tuple[Text, Text]]:
    """A trial's scores: `80 %: 6/24 25.0 % [12-45] counts for 14.3 %` (if less), with health."""
    lines: list[tuple[Text, Text]] = []
    scores = [e for _, e in sorted(dict(trial.evaluations).items())]
    best = trial.best_scored
    for e in [best] if best_only and best else scores:
        mean = e.checkpoint.averaged
        at = f"average of {mean}: " if mean else f"{percent(e.checkpoint.progress, 0)}: "
        if e.score is None:
            lines.append((Text(at + "no valid score", style="yellow"), Text(safe(e.problem or ""))))
            continue
        style = "green" if e.met else "yellow" if e.unhealthy else ""
        score = Text(at + score_text(e.score, e.interval), style=style)
        if e.counts_for_less:
            score.append(f" counts for {percent(e.counts or 0.0)}", style="yellow")
        health = health_text(e.health, e.lift)
        health_words = partial_text(e.score, e.partial) if e.partial is not None else health
        lines.append((score, Text(health_words, style="yellow" if e.unhealthy else "")))
    return lines


def _table(expand: bool = False) -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=expand)


def _trial_cells(trial: TrialState) -> list[Text]:
    plan, last = trial.plan, trial.last_step
    done = last.step if last else 0
    return [
        Text(str(trial.number)),
        Text(safe(plan.strategy), style="bold"),
        Text(rate_text(plan.learning_rate)),
        Text(shape_text(plan.model_max_length, plan.max_rounds)),
        Text(f"{done}/{plan.total_steps}"),
        Text(f"{last.loss:.3f}" if last else "n/a"),
    ]


def study_table(
    trials: Sequence[TrialState], baselines: RenderableType | None, best_only: bool = False
) -> RenderableType:
    """Every trial with its scores and verdict, and the baselines to hold them against."""
    table = _table(expand=True)
    for name in ("trial", "strategy", "lr", "length x rounds", "step", "loss"):
        table.add_column(name, no_wrap=name != "strategy")
    less = any(e.counts_for_less for t in trials for e in dict(t.evaluations).values())
    table.add_column("score of checkpoint [95 %]", no_wrap=True)
    table.add_column("health of answers", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    blocks: list[RenderableType] = []
    for trial in trials:
        cells, scores = _trial_cells(trial), checkpoint_lines(trial, best_only)
        verdict = trial_verdict(trial)
        last = Text(safe(verdict), style=verdict_style(verdict))
        joined = (Text("\n").join(s for s, _ in scores), Text("\n").join(h for _, h in scores))
        table.add_row(*cells, *joined, last)
        line = Text("trial ").append_text(cells[0]).append(" ").append_text(cells[1])
        for label, cell in zip(("lr ", "", "step ", "loss "), cells[2:], strict=True):
            line.append(f"  {label}", style="dim").append_text(cell)
        line.append("  ").append_text(last)
        blocks += [line, *(_indented(score, health) for score, health in scores)]
    parts = [baselines] if baselines is not None else []
    if not trials:
        return Section("study", Group(*parts, Text("no trial yet", style="dim")))
    return Section(
        "study",
        Group(ByWidth(TABLE_COLUMNS + COUNTS_COLUMNS * less, table, Group(*blocks)), *parts),
    )


def _indented(score: Text, health: Text) -> Text:
    return Text("  ").append_text(score).append("  ").append_text(health)


def baseline_rows(state: StudyState) -> RenderableType | None:
    """The scores to compare with: the prompt given back, and the model before training."""
    lines = [
        Text(f"baseline {name:<9}  {score_text(b.score, b.interval)}  ").append(
            health_text(b.health, b.lift)
        )
        for name, b in sorted(state.baselines.items())
    ]
    return Group(*lines) if lines else None


def probe_table(outcomes: Sequence[TrialOutcome]) -> RenderableType:
    """Each probe trial: what was tried, peak, verdict, seconds a step, reason."""
    table = _table()
    *names, last = PROBE_COLUMNS
    for name in names:
        table.add_column(name, no_wrap=True, justify="left" if name == "verdict" else "right")
    table.add_column(last, overflow="fold")
    blocks: list[Text] = []
    for outcome in outcomes:
        style = verdict_style(outcome.verdict) or "red"
        length, rounds, micro_batch, peak, verdict, pace, reason = probe_cells(outcome)
        verdict_text, reason_text = Text(verdict, style=style), Text(safe(reason), style="dim")
        cells = map(Text, (length, rounds, micro_batch, peak))
        table.add_row(*cells, verdict_text, Text(pace), reason_text)
        line = Text(f"{length} x {rounds}  {peak}  ").append_text(verdict_text)
        blocks.append(line.append(f"  {pace} s/step  ").append_text(reason_text))
    return ByWidth(96, table, Group(*blocks))


def fit_line(state: StudyState) -> RenderableType | None:
    """The probe's answer in one line, once it is known."""
    if (fit := state.fit) is None:
        return None
    return Text(
        f"fits model_max_length {fit.model_max_length}, max_rounds {fit.max_rounds}, micro-batch"
        f" {fit.micro_batch_tokens} tokens, {fit.words}",
        style="dim",
    )


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
    cut = Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in shown))
    return Section("last events", ByWidth(FRAME_COLUMNS - 4, cut, Group(*map(Text, shown))))
