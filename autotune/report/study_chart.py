"""Two drawings of a study: what each trial came to, and where it lies by rate and batch."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autotune.base.format import percent, rate_text
from autotune.report.paint import GREY, Paint, colour_of, show_from_zero
from autotune.report.trial_schema import TrialReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes


HEIGHTS = (4, -12, 14, -22)
"""Where the words of points beside each other stand: above and below by turns, near and far."""


def draw_history(axes: "Axes", trials: Sequence[TrialReport], target: float, tones: Paint) -> None:
    """What the best checkpoint of each trial counts for, and the best so far, against the target.

    A trial without a value has a cross at 0.
    """
    from matplotlib.ticker import MaxNLocator

    best: list[float] = []
    for index, trial in enumerate(trials):
        colour = colour_of(index)
        if trial.value is None:
            axes.plot(trial.number, 0, marker="x", color=colour, linestyle="")
        else:
            value = 100 * max(0.0, trial.value)
            axes.plot(trial.number, value, marker="o", color=colour, zorder=3)
        reached = max(0.0, trial.value or 0.0)
        best.append(max(reached, best[-1] if best else 0.0))
    axes.plot(
        [t.number for t in trials],
        [100 * b for b in best],
        drawstyle="steps-post",
        color=GREY,
        linewidth=1.8,
        label="best so far",
    )
    axes.axhline(100 * target, color=tones.ink, linestyle="--", linewidth=1.2, label="target")
    show_from_zero(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel("counts for (%)")


def value_text(trial: TrialReport) -> str:
    """What a trial came to, beside its point: `29.2 %`, or that it has no score."""
    return "no score" if trial.value is None else percent(max(0.0, trial.value))


def _heights(trials: Sequence[TrialReport]) -> dict[int, int]:
    """How far above its point the words of each trial stand, in points of a letter's height.

    Of those beside each other in a row they differ, so that they do not cover each other.
    """
    found: dict[int, int] = {}
    beside: dict[int, int] = {}
    for trial in sorted(trials, key=lambda t: t.plan.learning_rate):
        at = beside.get(trial.plan.batch_size, 0)
        beside[trial.plan.batch_size] = at + 1
        found[trial.number] = HEIGHTS[at % len(HEIGHTS)]
    return found


def draw_slice(axes: "Axes", trials: Sequence[TrialReport]) -> None:
    """Each trial at its learning rate and batch size, with what its best checkpoint counts for."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log", base=2)
    rates = [trial.plan.learning_rate for trial in trials]
    middle = math.sqrt(min(rates) * max(rates))
    heights = _heights(trials)
    for index, trial in enumerate(trials):
        rate, batch = trial.plan.learning_rate, trial.plan.batch_size
        axes.plot(rate, batch, marker="o", color=colour_of(index))
        left = rate > middle  # a text at the right of the last point would be cut off
        axes.annotate(
            f"trial {trial.number}: {value_text(trial)}",
            (rate, batch),
            xytext=(-5 if left else 5, heights[trial.number]),
            ha="right" if left else "left",
            textcoords="offset points",
            fontsize=8,
            color=colour_of(index),  # as its point, where another one is nearer
            parse_math=False,
        )
    batches = sorted({trial.plan.batch_size for trial in trials})
    axes.set_yticks(batches, [str(batch) for batch in batches])
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda rate, _: rate_text(rate))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.margins(x=0.15, y=0.2)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("batch size")
