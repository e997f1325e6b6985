"""The loss of one training over its steps: each, smoothed, held out, with its epochs marked."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from autotune.base.format import percent
from autotune.report.paint import Paint
from autotune.report.trial_schema import LossPoint, TrialReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMOOTHED_SHARE = 0.05
"""The running mean is over this share of the steps: an epoch of a usual run has a fifth or more of
them, so that what an epoch does to the loss stays to be seen."""

MAX_MARKED = 12
"""Epochs that are marked; of more, every second, third and so on."""


def smoothed(losses: Sequence[float]) -> list[float]:
    """Their running mean, centred; at the ends over what there is, never of one step alone."""
    half = max(1, round(len(losses) * SMOOTHED_SHARE / 2))
    sums = [0.0, *accumulate(losses)]
    found = []
    for at in range(len(losses)):
        begin, end = max(0, at - half), min(len(losses), at + half + 1)
        found.append((sums[end] - sums[begin]) / (end - begin))
    return found


def epoch_means(curve: Sequence[LossPoint], steps_per_epoch: int) -> tuple[float, ...]:
    """The mean loss of each epoch that was begun, of its steps that are kept."""
    losses: dict[int, list[float]] = {}
    for point in curve:
        losses.setdefault((point.step - 1) // steps_per_epoch, []).append(point.loss)
    return tuple(sum(each) / len(each) for _, each in sorted(losses.items()))


def epoch_marks(trial: TrialReport) -> Iterator[tuple[int, float]]:
    """The epochs to mark, each with the step at which it ends: half a step after the last one."""
    every = -(-trial.plan.num_train_epochs // MAX_MARKED)
    for epoch in range(every, trial.plan.num_train_epochs, every):
        yield epoch, epoch * trial.plan.steps_per_epoch + 0.5


def held_out_label(trial: TrialReport) -> str:
    """The held-out loss in a legend, with how far it is measured: not to a training's end."""
    return f"held out, last at {percent(max(p.progress for p in trial.held_out), 0)}"


def draw_loss(axes: "Axes", trial: TrialReport, colour: str, paint: Paint) -> None:
    """The loss of a trial that has a step, or a held-out loss."""
    from matplotlib.ticker import MaxNLocator

    steps = [point.step for point in trial.loss_curve]
    losses = [point.loss for point in trial.loss_curve]
    if steps:
        axes.plot(steps, losses, color=colour, alpha=0.5, linewidth=0.8, label="each step")
        mark = "." if len(steps) < 3 else None
        axes.plot(
            steps, smoothed(losses), color=colour, linewidth=1.8, marker=mark, label="smoothed"
        )
    held_out = [(p.step, p.loss) for p in trial.held_out if p.loss is not None]
    if held_out:
        axes.plot(
            *zip(*held_out, strict=True),
            color=paint.ink,
            label=held_out_label(trial),
            linewidth=1.1,
            linestyle="--",
            marker="s",
            markersize=3.5,
        )
    for epoch, step in epoch_marks(trial):
        axes.axvline(step, color=paint.ink, linewidth=0.7, linestyle=":", alpha=0.7)
        axes.annotate(
            str(epoch),
            (step, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-2, -1),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=7,
            color=paint.ink,
        )
    axes.set_xlim(left=0, right=trial.total_steps + 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    marked = ", dotted: end of epoch" if trial.plan.num_train_epochs > 1 else ""
    axes.set_xlabel(f"optimizer step{marked}")
    axes.set_ylabel("loss per supervised token")
