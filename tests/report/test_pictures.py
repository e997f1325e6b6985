"""What a picture shows is seen: no axis covers what lies at 0, no words cover each other."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from autotune.report.chart import pictures_of
from autotune.report.paint import DARK, LIGHT, Paint
from autotune.report.score_chart import draw_scores
from autotune.report.study_chart import draw_history, draw_slice
from tests.report.test_study_part import reported

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def blank() -> "Axes":
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def history(axes: "Axes", paint: Paint) -> None:
    trials = [t.model_copy(update={"value": 0.0}) for t in reported(3).trials]
    draw_history(axes, trials, 0.15, paint)


def scores(axes: "Axes", paint: Paint) -> None:
    report = reported(3)
    lines = {name: (name, base) for name, base in report.baselines.items()}
    draw_scores(
        axes, report.trials, lines, report.best, None, report.target, "prompt strict", paint
    )


@pytest.mark.parametrize("draw", [history, scores])
def test_zero_stands_above_the_axis_and_is_the_lowest_tick(
    draw: "Callable[[Axes, Paint], None]",
) -> None:
    axes = blank()
    draw(axes, LIGHT)
    bottom, top = axes.get_ylim()
    assert 0.02 * (top - bottom) < -bottom < 0.1 * (top - bottom)
    assert min(at for at in axes.get_yticks() if at >= bottom) == 0


def test_the_best_so_far_of_trials_that_count_for_nothing_is_a_line() -> None:
    axes = blank()
    history(axes, LIGHT)
    (line,) = (line for line in axes.lines if line.get_label() == "best so far")
    at = axes.transAxes.inverted().transform(axes.transData.transform(line.get_xydata()))
    assert min(y for _, y in at) > 0.02


def test_a_point_at_the_right_of_the_picture_has_its_words_at_its_left() -> None:
    report = reported(3)
    axes = blank()
    draw_slice(axes, report.trials)
    rates = [t.plan.learning_rate for t in report.trials]
    sides = [text.get_horizontalalignment() for text in axes.texts]
    assert sides[rates.index(max(rates))] == "right"
    assert sides[rates.index(min(rates))] == "left"


def test_words_of_points_near_each_other_do_not_cover_each_other() -> None:
    axes = blank()
    draw_slice(axes, reported(5).trials)
    axes.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    near = [(a, b) for at, a in enumerate(boxes) for b in boxes[:at] if a.overlaps(b)]
    assert near == []


def test_baselines_are_brighter_on_a_dark_page() -> None:
    def luminance(colour: str) -> float:
        return sum(int(colour[at : at + 2], 16) for at in (1, 3, 5))

    for name in ("before", "chance"):
        assert luminance(getattr(DARK, name)) > 1.5 * luminance(getattr(LIGHT, name))


def test_checkpoints_of_nearly_one_progress_have_whole_percents_below_them() -> None:
    axes = blank()
    scores(axes, LIGHT)  # all of them at the end of their trainings
    left, right = axes.get_xlim()
    assert right - left > 10
    shown = [
        axes.xaxis.get_major_formatter()(at) for at in axes.get_xticks() if left <= at <= right
    ]
    assert shown and all(text.isdecimal() for text in shown)


def test_points_of_trials_that_are_drawn_beside_their_progress_are_said_to_be() -> None:
    titles = [
        next(picture.title for picture in pictures_of(reported(count)) if picture.name == "scores")
        for count in (1, 3)
    ]
    assert titles == [
        "Scores, bars: 95 % interval",
        "Scores, bars: 95 % interval; trials at the same progress are drawn side by side",
    ]
