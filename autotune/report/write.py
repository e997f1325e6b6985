"""A report as files: report.json for programs, report.md and report.html for people, pictures/.

Both pages show the same: what that is, `facts` and the tables say, and the templates how it looks.
"""

import base64
import html
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autotune.base.files import write_bytes_atomic, write_text_atomic
from autotune.base.format import duration, percent, safe
from autotune.protocol.data_notes import note_sentence
from autotune.protocol.results import Fit
from autotune.report.by_instruction import instructions_table
from autotune.report.chart import Picture, draw_png, pictures_of
from autotune.report.data_table import data_table
from autotune.report.examples import CHOSEN, SENTENCES, verdict_lines
from autotune.report.facts import facts_of, in_a_row, ran_with
from autotune.report.fold import figures, name_parts, wholes
from autotune.report.kept_charts import Drawn, kept_pictures
from autotune.report.practice import kinds_table
from autotune.report.remarks import remarks_of
from autotune.report.reproduction import reproduction_rows
from autotune.report.schema import Report
from autotune.report.score_tables import checkpoints_table, full_scores_table, scores_table
from autotune.report.study_tables import hosts_table, importances_table, points_table
from autotune.report.tables import (
    moment_text,
    probe_trials_table,
    timed_table,
    timeline_table,
    trials_table,
)
from autotune.report.time_tables import time_split_table, times_table
from autotune.score.registry import find_scorer
from autotune.text.fit import fit_sentence, prediction_sentence
from autotune.text.gain import NOT_BETTER
from autotune.text.score import fault_text

PICTURES = "pictures"
"""The folder of the pictures, which `report.md` shows."""

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~])")
_BEGINS_A_BLOCK = re.compile(r"^(\d*)([-+=.)])")
_DRAWN: Mapping[str, Drawn] = {}


def write_report(report: Report, run_dir: Path) -> None:
    """Write the files into the run folder, each of them whole or not at all.

    Pictures that an earlier report has of the same are taken from there: to load matplotlib and to
    draw takes most of the time, and the report of a run that is over shows the same each time.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written.
    """
    page = run_dir / "report.html"
    kept = kept_pictures(page)
    drawn = {
        picture.name: kept.get(picture.drawing) or _drawn(picture)
        for picture in pictures_of(report)
    }
    write_text_atomic(run_dir / "report.json", report.model_dump_json(indent=2) + "\n")
    for name, each in drawn.items():
        write_bytes_atomic(run_dir / PICTURES / f"{name}.png", each.light)
    write_text_atomic(run_dir / "report.md", render_markdown(report))
    write_text_atomic(page, render_html(report, drawn))


def _drawn(picture: Picture) -> Drawn:
    return Drawn(picture.drawing, draw_png(picture), draw_png(picture, dark=True))


def render_html(report: Report, drawn: Mapping[str, Drawn] = _DRAWN) -> str:
    """One page that needs no other file; `drawn` are its pictures by name, and others left out."""
    pictures = tuple(
        {
            "title": picture.title,
            "described": picture.described,
            "light": base64.b64encode(each.light).decode("ascii"),
            "dark": base64.b64encode(each.dark).decode("ascii"),
            "drawing": each.drawing,
            "sha256": each.sha256,
        }
        for picture in pictures_of(report)
        if (each := drawn.get(picture.name)) is not None
    )
    return _render("report.html.j2", report, html.escape, pictures)


def render_markdown(report: Report) -> str:
    """The same as text; refers to the pictures beside it."""
    pictures = tuple(
        {"described": picture.described, "file": f"{PICTURES}/{picture.name}.png"}
        for picture in pictures_of(report)
    )
    return _render("report.md.j2", report, markdown_text, pictures)


def markdown_text(text: str) -> str:
    """Text from outside with every character that Markdown would read as markup escaped."""
    return _MARKDOWN.sub(r"\\\1", text)


def markdown_line(text: str) -> str:
    """A line from outside that stands alone: nor does it begin a list, a heading or code."""
    return _BEGINS_A_BLOCK.sub(r"\1\\\2", markdown_text(safe(text.strip())))


def _render(
    template: str,
    report: Report,
    escape: Callable[[str], str],
    pictures: tuple[dict[str, str], ...],
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
        prediction=_prediction,
        quoted_lines=_quoted_lines,
        became=SENTENCES.get,
        verdicts=verdict_lines,
        line=lambda text: Markup(markdown_line(text)),
        figures=figures,
        in_a_row=in_a_row,
        name_parts=name_parts,
        wholes=wholes,
        faults=lambda faults: ", ".join(map(fault_text, faults)),
    )
    scorer = find_scorer(report.scorer)
    fit = report.fit
    shown: dict[str, Any] = {
        "not_better": NOT_BETTER,
        "facts": facts_of(report, scorer),
        "remarks": remarks_of(report),
        "scores": scores_table(report, scorer),
        "full_scores": full_scores_table(report, scorer),
        "instructions": instructions_table(report),
        "rows_used": data_table(report),
        "time_split": time_split_table(report),
        "again": reproduction_rows(report),
        "drawn": bool(pictures_of(report)),
        "examples_chosen": CHOSEN,
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
        ),
        "found": tuple(map(note_sentence, report.data_notes)),
        "ran_with": ran_with(report, scorer),
        "timeline": timeline_table(report),
    }
    return environment.get_template(template).render(r=report, pictures=pictures, **shown)


def _fit(fit: Fit) -> str:
    """The probe's answer as the beginning of a text."""
    return _begun(fit_sentence(fit))


def _prediction(fit: Fit) -> str | None:
    sentence = prediction_sentence(fit)
    return None if sentence is None else _begun(sentence)


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _quoted_lines(text: str | None) -> tuple[str, ...]:
    """The lines of a text that is quoted; none of them empty, as Markdown would end there."""
    lines = (line for line in (text or "").splitlines() if line.strip())
    return tuple(lines) or ("nothing",)
