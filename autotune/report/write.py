"""A report as files: report.json for programs, report.md and report.html for people, loss.png."""

import base64
import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autotune.base.files import write_bytes_atomic, write_text_atomic
from autotune.base.format import about, duration, interval_text, percent, rate_text, safe
from autotune.base.sizes import show_size
from autotune.protocol.data_notes import note_sentence
from autotune.protocol.result_text import limits_text, rounds_text, shape_text, share_name
from autotune.protocol.results import Health
from autotune.report.chart import draw_png, drawing_of
from autotune.report.kept_charts import Pictures, kept_pictures
from autotune.report.schema import BaselineReport, CheckpointScore, FullScore, Report
from autotune.score.registry import find_scorer
from autotune.text.fit import cut_text, prediction_sentence, rate_of_trial, seconds_a_step

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~])")


def write_report(report: Report, run_dir: Path) -> None:
    """Write the four files into the run folder, each of them whole or not at all.

    Pictures that an earlier report has of the same are taken from there: to load matplotlib and to
    draw takes most of the time, and the report of a run that is over shows the same each time.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written.
    """
    page = run_dir / "report.html"
    kept = kept_pictures(page, drawing_of(report))
    light = kept.light if kept else draw_png(report)
    dark = kept.dark if kept else draw_png(report, dark=True)
    write_text_atomic(run_dir / "report.json", report.model_dump_json(indent=2) + "\n")
    write_bytes_atomic(run_dir / "loss.png", light)
    write_text_atomic(run_dir / "report.md", render_markdown(report))
    write_text_atomic(page, render_html(report, light, dark))


def render_html(report: Report, light_png: bytes, dark_png: bytes) -> str:
    """One page that needs no other file; the pictures are for light and dark screens."""
    drawn = Pictures(drawing_of(report), light_png, dark_png)
    pictures = {
        "light": base64.b64encode(light_png).decode("ascii"),
        "dark": base64.b64encode(dark_png).decode("ascii"),
        "drawing": drawn.drawing,
        "sha256": drawn.sha256,
    }
    return _render("report.html.j2", report, html.escape, pictures)


def render_markdown(report: Report) -> str:
    """The same as text; refers to loss.png beside it."""
    return _render("report.md.j2", report, markdown_text, {})


def markdown_text(text: str) -> str:
    """Text from outside with every character that Markdown would read as markup escaped."""
    return _MARKDOWN.sub(r"\\\1", text)


def _render(
    template: str, report: Report, escape: Callable[[str], str], pictures: dict[str, str]
) -> str:
    """Fill a template. Every value that it prints is made harmless and escaped, none is trusted."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: object) -> object:
        # Markup is what `finalize` itself or the HTML autoescape has made: once is enough.
        return value if isinstance(value, Markup) else Markup(escape(safe(str(value))))

    environment = Environment(
        loader=PackageLoader("autotune.report", "templates"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        percent=percent,
        duration=duration,
        about=about,
        size=show_size,
        rate=rate_text,
        moment=_moment,
        place=_place,
        step_seconds=seconds_a_step,
        supervised_rate=rate_of_trial,
        prediction=prediction_sentence,
        cut=cut_text,
        note=note_sentence,
        limits=limits_text,
        rounds=rounds_text,
        share=share_name,
    )
    scorer = find_scorer(report.scorer)
    helpers: dict[str, Any] = {
        "scorer": scorer,
        "columns": [each for each in scorer.others if each.column is not None],
        "score": _score,
        "health": _health,
        "shape": shape_text,
        "shares": [name for name in Health.model_fields if name in scorer.health_checks],
    }
    return environment.get_template(template).render(r=report, pictures=pictures, **helpers)


def _score(score: CheckpointScore | BaselineReport | FullScore) -> str:
    """`6/24 25.0 % [12-45]`, or why there is none."""
    if score.strict is None or score.n is None or score.interval is None:
        return "no valid score"
    return (
        f"{score.passes}/{score.n} {percent(score.strict)} {interval_text(score.interval, score.n)}"
    )


def _place(score: CheckpointScore) -> str:
    """How far its training was, or of how many checkpoints it is the mean."""
    return f"average of {score.averaged}" if score.averaged else percent(score.progress, 0)


def _health(share: float | None) -> str:
    return "n/a" if share is None else percent(share, 0)


def _moment(seconds: float) -> str:
    """A time as UTC, to the second: a report is read elsewhere than where it was made."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
