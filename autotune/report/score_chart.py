"""The scores of all checkpoints over progress, with intervals, the target and the baselines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autotune.base.format import safe
from autotune.report.paint import GREY, Paint, colour_of, show_from_zero
from autotune.report.score_schema import BaselineReport, CheckpointScore, FullScore
from autotune.report.trial_schema import TrialReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_NAMED = 6
"""Trials that the legend names: more have the colours of these again, and stand in the tables."""

MIN_PROGRESS_SHOWN = 10.0
"""Points of progress that the picture shows at least."""

_DOTS = (0, (1, 2.5))
"""The line of what the best checkpoint's own answers pass on other prompts."""


def trial_label(trial: TrialReport) -> str:
    """A trial in a legend."""
    return f"trial {trial.number} ({safe(trial.strategy)})"


def draw_scores(
    axes: "Axes",
    trials: Sequence[TrialReport],
    lines: Mapping[str, tuple[str, BaselineReport]],
    best: CheckpointScore | None,
    full: FullScore | None,
    target: float,
    main: str,
    paint: Paint,
) -> None:
    """`lines` are the baselines by name, each with its words; `main` names the score."""
    for index, trial in enumerate(trials):
        # Trials that share a progress are set side by side, or their bars would hide each other.
        _draw_trial(axes, trial, 0.004 * (index - (len(trials) - 1) / 2), index)
    axes.axhline(100 * target, color=paint.ink, linestyle="--", linewidth=1.2, label="target")
    for name, (words, base) in lines.items():
        colour, style = (paint.before, "-.") if name == "untrained" else (GREY, ":")
        axes.axhline(100 * base.strict, color=colour, linestyle=style, label=words, linewidth=1.4)
    if best is not None and best.lift is not None:
        axes.axhline(
            100 * best.lift.shuffled.accuracy,
            color=paint.chance,
            linestyle=_DOTS,
            label="its answers on other prompts",
            linewidth=1.4,
        )
    if full is not None:
        _bars(axes, [(1.03, full.strict, full.interval)], paint.ink, "best, all prompts", "*")
    if any(map(counts_for_less, (c for t in trials for c in t.checkpoints))):
        axes.plot(
            [],
            [],
            linestyle=":",
            marker="o",
            markerfacecolor="none",
            color=paint.ink,
            label="what a score counts for",
        )
    if any(c.strict is not None for t in trials for c in t.checkpoints):
        _widen(axes)
    else:
        axes.set_xlim(0, 100)
    show_from_zero(axes)
    axes.xaxis.set_major_formatter(lambda at, _: f"{at:g}" if 0 <= at <= 100 else "")
    axes.set_xlabel("progress of training (%)")
    axes.set_ylabel(f"{main} (%)")


def _widen(axes: "Axes") -> None:
    """Checkpoints of nearly one progress do not fill the width, and ticks are whole percents."""
    from matplotlib.ticker import MaxNLocator

    left, right = axes.get_xlim()
    if right - left < MIN_PROGRESS_SHOWN:
        axes.set_xlim(right - MIN_PROGRESS_SHOWN, right + 0.03 * MIN_PROGRESS_SHOWN)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _draw_trial(axes: "Axes", trial: TrialReport, shift: float, index: int) -> None:
    colour = colour_of(index)
    for averaged in (False, True):
        # An average stands beside the line, a little to the right of the last checkpoint.
        chosen = [c for c in trial.checkpoints if (c.averaged > 0) is averaged]
        beside = shift + 0.01 * averaged
        _mark_counted(axes, chosen, beside, colour)
        label = f"{trial_label(trial)}, average" if averaged else trial_label(trial)
        valid = list(_valid(chosen, beside))
        if valid:
            named = label if index < MAX_NAMED else ""
            _bars(axes, valid, colour, named, "D" if averaged else "o")


def _valid(
    points: Sequence[CheckpointScore], beside: float
) -> Iterator[tuple[float, float, tuple[float, float]]]:
    for point in points:
        if point.strict is not None and point.interval is not None:
            yield point.progress + beside, point.strict, point.interval


def _bars(
    axes: "Axes",
    points: Sequence[tuple[float, float, tuple[float, float]]],
    colour: str,
    label: str,
    marker: str,
) -> None:
    """Scores (0..1) at their progress, each with a bar over its interval."""
    axes.errorbar(
        [100 * at for at, _, _ in points],
        [100 * score for _, score, _ in points],
        yerr=[
            [100 * (score - ends[0]) for _, score, ends in points],
            [100 * (ends[1] - score) for _, score, ends in points],
        ],
        color=colour,
        label=label or "_nolegend_",
        marker=marker,
        capsize=3,
        linewidth=1.2,
    )


def counts_for_less(point: CheckpointScore) -> bool:
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
    for point in filter(counts_for_less, points):
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
        )
