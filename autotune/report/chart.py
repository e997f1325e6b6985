"""The pictures of a run: each training's loss, all scores, and what came of which trial.

Each is a file of its own, so that they stack on a narrow screen, and is drawn again only when what
it shows has changed.
"""

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from autotune.base.format import safe
from autotune.report.loss_chart import draw_loss
from autotune.report.paint import DARK, LIGHT, Paint, colour_of
from autotune.report.schema import Report
from autotune.report.score_chart import draw_scores, trial_label
from autotune.report.study_chart import draw_history, draw_slice
from autotune.report.study_tables import choosing_half
from autotune.report.trial_schema import TrialReport
from autotune.score.registry import find_scorer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES, DPI = (4.8, 3.4), 200
"""960 x 680 pixels: sharp at 480 wide, two beside each other on a screen, and its smallest letters
can be read at 360, one above the other on a phone."""

MAX_LOSSES = 12
"""Trainings whose loss is drawn: a page of pictures. Of more, the newest and the best."""

_CODE = [
    Path(__file__).with_name(f"{name}.py")
    for name in ("chart", "loss_chart", "paint", "score_chart", "study_chart")
]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its file's name, a heading, what is to be seen in it, and how it is drawn.

    `shows` holds all that it is drawn from.
    """

    name: str
    title: str
    described: str
    shows: str
    draw: Callable[["Axes", Paint], None]

    @property
    def drawing(self) -> str:
        """A digest of what is drawn and of what draws it: pictures with the same are the same.

        Only matplotlib's release is in it, not the fonts and settings that it finds.
        """
        code = (path.read_text(encoding="utf-8") for path in _CODE)
        parts = [*code, metadata.version("matplotlib"), self.name, self.shows]
        return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def pictures_of(report: Report) -> tuple[Picture, ...]:
    """The pictures that a report has something to show in, in their order on the page."""
    return (*_losses(report), *_scores(report), *_study(report))


def _losses(report: Report) -> Iterator[Picture]:
    drawn = [t for t in report.trials if t.loss_curve or t.held_out]
    if len(drawn) > MAX_LOSSES:
        best = [t for t in drawn if report.best is not None and report.best in t.checkpoints]
        newest = [t for t in drawn if t not in best][-(MAX_LOSSES - len(best)) :]
        drawn = [t for t in drawn if t in best or t in newest]
    for trial in drawn:
        yield Picture(
            f"loss-{trial.number}",
            f"Loss of {trial_label(trial)}",
            f"Loss of {trial_label(trial)} over its steps: each step, smoothed"
            f"{', held out' if trial.held_out else ''}, with the ends of its epochs",
            "\n".join(
                (
                    *(point.model_dump_json() for point in (*trial.loss_curve, *trial.held_out)),
                    trial.plan.model_dump_json(),
                )
            ),
            partial(_draw_loss, trial, colour_of(report.trials.index(trial))),
        )


def _draw_loss(trial: TrialReport, colour: str, axes: "Axes", tones: Paint) -> None:
    draw_loss(axes, trial, colour, tones)


SCORES_TITLE = "Scores, bars: 95 % interval"

SIDE_BY_SIDE = "trials at the same progress are drawn side by side"
"""Else two of 100 % seem to be of a little less and a little more."""


def _scores(report: Report) -> Iterator[Picture]:
    if not report.baselines and not any(trial.checkpoints for trial in report.trials):
        return
    scorer = find_scorer(report.scorer)
    words = {each.name: each.brief for each in scorer.baselines} | {"untrained": "before training"}
    lines = {name: (words.get(name, name), base) for name, base in report.baselines.items()}

    def draw(axes: "Axes", tones: Paint) -> None:
        draw_scores(
            axes,
            report.trials,
            lines,
            report.best,
            report.best_in_full,
            report.target,
            scorer.main.name,
            tones,
        )

    yield Picture(
        "scores",
        SCORES_TITLE if len(report.trials) < 2 else f"{SCORES_TITLE}; {SIDE_BY_SIDE}",
        "The score of each checkpoint with its 95 % interval and what it counts for, the target and"
        " the baselines",
        "\n".join(
            (
                repr((report.target, report.scorer, lines)),
                *(_scored(trial) for trial in report.trials),
                "" if report.best_in_full is None else report.best_in_full.model_dump_json(),
            )
        ),
        draw,
    )


def _study(report: Report) -> Iterator[Picture]:
    if len(report.trials) < 2:
        return
    shows = "\n".join(_scored(trial) for trial in report.trials)
    yield Picture(
        "trials",
        f"What each trial's best checkpoint counts for{choosing_half(report)}",
        f"What the best checkpoint of each trial counts for{choosing_half(report)}, and the best so"
        " far",
        f"{report.target}\n{shows}",
        lambda axes, tones: draw_history(axes, report.trials, report.target, tones),
    )
    yield Picture(
        "points",
        "Rate and batch size of each trial, and what it counts for",
        "Each trial at its learning rate and batch size, with what its best checkpoint counts for",
        shows,
        lambda axes, _: draw_slice(axes, report.trials),
    )


def _scored(trial: TrialReport) -> str:
    """What is drawn of a trial beside its loss."""
    return trial.model_dump_json(include={"number", "strategy", "plan", "checkpoints", "value"})


def draw_png(picture: Picture, dark: bool = False) -> bytes:
    """A PNG of 960 x 680 pixels."""
    # A notebook names a backend that matplotlib refuses to load with where its package is missing.
    os.environ["MPLBACKEND"] = "agg"
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tones = DARK if dark else LIGHT
    figure = Figure(figsize=INCHES, dpi=DPI, facecolor=tones.page, layout="constrained")
    FigureCanvasAgg(figure)  # the figure draws itself on this canvas, with no screen
    axes: Axes = figure.add_subplot()
    axes.set_facecolor(tones.page)
    axes.tick_params(colors=tones.ink, labelsize=8)
    axes.grid(color=tones.faint, linewidth=0.5, alpha=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(tones.faint)
    picture.draw(axes, tones)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=tones.ink, fontsize=9, parse_math=False)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        legend = figure.legend(  # below, where it hides nothing
            handles,
            [safe(label) for label in labels],
            loc="outside lower center",
            ncols=2 if len(labels) > 3 else 3,
            fontsize=7.5,
            labelcolor=tones.ink,
            frameon=False,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A strategy may be named in a script that the font lacks: boxes in a legend harm nobody.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
