"""The picture of a run: loss over steps, and scores over progress with their 95 % intervals.

A score that counts for less has a second, hollow mark there. Below them, as soon as there are two
trials, what each came to and where it lies by rate and batch.
"""

import hashlib
import io
import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from autotune.base.format import safe
from autotune.report import study_chart
from autotune.report.schema import BaselineReport, CheckpointScore, TrialReport
from autotune.report.study_chart import draw_history, draw_slice
from autotune.score.registry import find_scorer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LIGHT = {"page": "#ffffff", "ink": "#1f2328", "faint": "#c8cdd3"}
_DARK = {"page": "#161b22", "ink": "#e6edf3", "faint": "#444c56"}
_COLOURS = ("#3b7dd8", "#d9730d", "#2e9e6b", "#b5559c", "#8a8f98", "#c2a000")
"""Told apart by lightness too, and readable on both pages."""


class Shown(Protocol):
    """All of a report that its picture is drawn from."""

    target: float
    trials: tuple[TrialReport, ...]
    baselines: dict[str, BaselineReport]
    scorer: str


def drawing_of(report: Shown) -> str:
    """A digest of what is drawn and of what draws it: pictures with the same are the same.

    Only matplotlib's release is in it, not the fonts and settings that it finds.
    """
    parts = [
        *(Path(path).read_text(encoding="utf-8") for path in (__file__, study_chart.__file__)),
        metadata.version("matplotlib"),
        repr(report.target),
        report.scorer,
        *(trial.model_dump_json() for trial in report.trials),
        *(base.model_dump_json() for _, base in sorted(report.baselines.items())),
    ]
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def draw_png(report: Shown, dark: bool = False) -> bytes:
    """A PNG of 1440 x 576 pixels, twice as high from the second trial on.

    A run without steps or scores gives empty axes that say so.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    paint = _DARK if dark else _LIGHT
    lines = 2 if len(report.trials) > 1 else 1
    size = (10, 4 * lines)
    figure = Figure(figsize=size, dpi=144, facecolor=paint["page"], layout="constrained")
    FigureCanvasAgg(figure)  # the figure draws itself on this canvas, with no screen
    loss: Axes = figure.add_subplot(lines, 2, 1)
    score: Axes = figure.add_subplot(lines, 2, 2)
    study: list[Axes] = [figure.add_subplot(lines, 2, 3 + at) for at in range(2 * (lines - 1))]
    for axes in (loss, score, *study):
        axes.set_facecolor(paint["page"])
        axes.tick_params(colors=paint["ink"])
        axes.grid(color=paint["faint"], linewidth=0.5, alpha=0.6)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(paint["faint"])

    for index, trial in enumerate(report.trials):
        colour, label = _COLOURS[index % len(_COLOURS)], _label(trial)
        points = trial.loss_curve
        if points:
            loss.plot(
                [p.step for p in points],
                [p.loss for p in points],
                color=colour,
                label=label,
                linewidth=1.6,
                marker="." if len(points) < 30 else None,
            )
        held_out = [(p.step, p.loss) for p in trial.held_out if p.loss is not None]
        if held_out:
            loss.plot(
                *zip(*held_out, strict=True),
                color=colour,
                label=f"{label}, held out",
                linewidth=1.2,
                linestyle="--",
                marker="s",
                markersize=4,
            )
        # Trials that share a progress are set side by side, or their bars would hide each other.
        shift = 0.004 * (index - (len(report.trials) - 1) / 2)
        for averaged in (False, True):
            # An average stands beside the line, a little to the right of the last checkpoint.
            chosen = [c for c in trial.checkpoints if (c.averaged > 0) is averaged]
            beside = shift + 0.01 * averaged
            _mark_counted(score, chosen, beside, colour)
            valid = [
                (c.progress + beside, c.strict, c.interval)
                for c in chosen
                if c.strict is not None and c.interval is not None
            ]
            if not valid:
                continue
            score.errorbar(
                [100 * p for p, _, _ in valid],
                [100 * s for _, s, _ in valid],
                yerr=[
                    [100 * (s - i[0]) for _, s, i in valid],
                    [100 * (i[1] - s) for _, s, i in valid],
                ],
                color=colour,
                label=f"{label}, average" if averaged else label,
                marker="D" if averaged else "o",
                capsize=3,
                linewidth=1.2,
            )
    score.axhline(
        100 * report.target, color=paint["ink"], linestyle="--", linewidth=1.2, label="target"
    )
    if any(map(_counts_for_less, (c for t in report.trials for c in t.checkpoints))):
        score.plot(
            [],
            [],
            linestyle=":",
            marker="o",
            markerfacecolor="none",
            color=paint["ink"],
            label="what a score counts for",
        )
    for name, base in report.baselines.items():
        style = "-." if name == "untrained" else ":"
        score.axhline(
            100 * base.strict, color="#8a8f98", linestyle=style, label=name, linewidth=1.4
        )
    main = find_scorer(report.scorer).main.name

    titled = [
        (loss, "Training loss per supervised token", "optimizer step", "loss (nats)"),
        (score, f"Score ({main}), bars: 95 % interval", "progress of training (%)", "%"),
    ]
    if study:
        history, at = study
        draw_history(history, report.trials, _COLOURS, report.target, paint["ink"])
        draw_slice(at, report.trials, _COLOURS, paint["ink"])
        history.xaxis.set_major_locator(MaxNLocator(integer=True))
        titled.append((history, "What each trial's best checkpoint counts for", "trial", "%"))
        titled.append(
            (at, "Trials by rate and batch: number, and that %", "learning rate", "batch size")
        )
    for axes, title, x, y in titled:
        axes.set_title(title, color=paint["ink"], fontsize=10, loc="left")
        axes.set_xlabel(x, color=paint["ink"], fontsize=9)
        axes.set_ylabel(y, color=paint["ink"], fontsize=9)
        if axes.get_legend_handles_labels()[0]:
            legend = axes.legend(
                fontsize=8,
                labelcolor=paint["ink"],
                facecolor=paint["page"],
                edgecolor="none",
                framealpha=0.85,
            )
            for text in legend.get_texts():
                text.set_parse_math(False)
    if not any(t.loss_curve or t.held_out for t in report.trials):
        _say(loss, "no step yet", paint)
    if not any(c.strict is not None for t in report.trials for c in t.checkpoints):
        score.set_xlim(0, 100)
        _say(score, "no score yet", paint)
    score.set_ylim(bottom=0)
    loss.xaxis.set_major_locator(MaxNLocator(integer=True))

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A strategy may be named in a script that the font lacks: boxes in a legend harm nobody.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _counts_for_less(point: CheckpointScore) -> bool:
    """Whether so little of a score is following that it counts for less than itself."""
    return (
        point.strict is not None
        and point.interval is not None
        and point.counts is not None
        and point.counts < point.strict
    )


def _mark_counted(
    axes: "Axes", points: Sequence[CheckpointScore], shift: float, colour: str
) -> None:
    """Hollow marks at what the scores count for, each on a line to its score."""
    for point in filter(_counts_for_less, points):
        at = 100 * (point.progress + shift)
        axes.plot(
            [at, at],
            [100 * (point.counts or 0.0), 100 * (point.strict or 0.0)],
            linestyle=":",
            linewidth=1.2,
            marker="o",
            markevery=[0],
            markerfacecolor="none",
            markersize=8,
            color=colour,
            clip_on=False,  # one that counts for nothing lies on the axis
        )


def _label(trial: TrialReport) -> str:
    return f"trial {trial.number} ({safe(trial.strategy)})"


def _say(axes: "Axes", text: str, paint: dict[str, str]) -> None:
    """Write in the middle of empty axes, over whatever line passes there."""
    axes.text(
        0.5,
        0.5,
        text,
        color=paint["ink"],
        bbox={"facecolor": paint["page"], "edgecolor": "none"},
        transform=axes.transAxes,
        ha="center",
        va="center",
    )
