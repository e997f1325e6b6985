"""A report as files: report.json for programs, report.md and report.html for people, loss.png.

Both pages show the same: what that is, `facts` and `tables` say, and the templates how it looks.
"""

import base64
import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autotune.base.files import write_bytes_atomic, write_text_atomic
from autotune.base.format import duration, percent, safe
from autotune.protocol.data_notes import note_sentence
from autotune.protocol.result_text import limits_text
from autotune.protocol.results import Fit
from autotune.report.chart import draw_png, drawing_of
from autotune.report.facts import facts_of, ran_with
from autotune.report.kept_charts import Charts, kept_charts
from autotune.report.practice import kinds_table
from autotune.report.schema import Report
from autotune.report.study_tables import hosts_table, importances_table, points_table
from autotune.report.tables import (
    before_and_after,
    checkpoints_table,
    moment_text,
    probe_trials_table,
    timed_table,
    timeline_table,
    times_table,
    trials_table,
)
from autotune.score.registry import find_scorer
from autotune.text.fit import fit_sentence, prediction_sentence
from autotune.text.gain import NOT_BETTER

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~])")


def write_report(report: Report, run_dir: Path) -> None:
    """Write the four files into the run folder, each of them whole or not at all.

    Pictures that an earlier report has of the same are taken from there: to load matplotlib and to
    draw takes most of the time, and the report of a run that is over shows the same each time.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written.
    """
    page = run_dir / "report.html"
    kept = kept_charts(page, drawing_of(report))
    light = kept.light if kept else draw_png(report)
    dark = kept.dark if kept else draw_png(report, dark=True)
    write_text_atomic(run_dir / "report.json", report.model_dump_json(indent=2) + "\n")
    write_bytes_atomic(run_dir / "loss.png", light)
    write_text_atomic(run_dir / "report.md", render_markdown(report))
    write_text_atomic(page, render_html(report, light, dark))


def render_html(report: Report, light_png: bytes, dark_png: bytes) -> str:
    """One page that needs no other file; the pictures are for light and dark screens."""
    drawn = Charts(drawing_of(report), light_png, dark_png)
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
        moment=moment_text,
        fit=_fit,
        prediction=prediction_sentence,
        limits=limits_text,
    )
    scorer = find_scorer(report.scorer)
    fit = report.fit
    shown: dict[str, Any] = {
        "not_better": NOT_BETTER,
        "facts": facts_of(report, scorer),
        "scores": before_and_after(report, scorer),
        "kinds": kinds_table(report),
        "trials": trials_table(report),
        "points": points_table(report) if len(report.trials) > 1 else None,
        "importances": importances_table(report) if report.importances else None,
        "times": times_table(report),
        "checkpoints": checkpoints_table(report, scorer),
        "study": hosts_table(report),
        "probed": probe_trials_table(fit) if fit else None,
        "timed": timed_table(fit) if fit else None,
        "lists": (
            ("Next", report.next_steps),
            ("Advice given while it trained", report.advice),
            ("Warnings", report.warnings),
            ("What was found in the data", tuple(map(note_sentence, report.data_notes))),
        ),
        "ran_with": ran_with(report, scorer),
        "timeline": timeline_table(report),
    }
    return environment.get_template(template).render(r=report, pictures=pictures, **shown)


def _fit(fit: Fit) -> str:
    """The probe's answer as the beginning of a text."""
    sentence = fit_sentence(fit)
    return sentence[:1].upper() + sentence[1:]
