"""The trials of the probe as a table: what was tried, what it took, and what came of it."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from autotune.base.format import safe
from autotune.protocol.results import TrialOutcome, Verdict
from autotune.screen.layout import ByWidth, plain_table
from autotune.screen.study_table import verdict_style
from autotune.text.fit import PROBE_COLUMNS, probe_cells

WIDE_COLUMNS = 92
"""Columns that the table needs with the reason beside the figures."""

TABLE_COLUMNS = 58
"""Columns that it needs with the reasons below it."""

LEAST_COLUMNS = 34
"""Columns that length, peak and verdict need as a table."""


def probe_table(outcomes: Sequence[TrialOutcome]) -> RenderableType:
    """Each trial with its reason: beside it, below the table, or below each figure."""
    narrow = ByWidth(
        TABLE_COLUMNS, Group(_table(outcomes, 6), *_reasons(outcomes)), _least(outcomes)
    )
    return ByWidth(WIDE_COLUMNS, _table(outcomes, 7), narrow)


def _table(outcomes: Sequence[TrialOutcome], count: int) -> RenderableType:
    """The first `count` columns of `PROBE_COLUMNS`."""
    table = plain_table()
    names = PROBE_COLUMNS[:count]
    for name in names:
        wraps, left = name == "reason", name in ("verdict", "reason")
        table.add_column(
            name, no_wrap=not wraps, overflow="fold", justify="left" if left else "right"
        )
    for outcome in outcomes:
        table.add_row(*_texts(outcome)[:count])
    return table


def _least(outcomes: Sequence[TrialOutcome]) -> RenderableType:
    """Length, peak and verdict, under headings, and the reasons below."""
    table = plain_table()
    kept = [PROBE_COLUMNS.index(name) for name in ("length", "peak", "verdict")]
    for at in kept:
        table.add_column(PROBE_COLUMNS[at], justify="left" if at == kept[-1] else "right")
    for outcome in outcomes:
        cells = _texts(outcome)
        table.add_row(*(cells[at] for at in kept))
    lines = [Text(" ").join(_texts(outcome)[at] for at in kept) for outcome in outcomes]
    return Group(ByWidth(LEAST_COLUMNS, table, Group(*lines)), *_reasons(outcomes))


def _texts(outcome: TrialOutcome) -> list[Text]:
    *figures, verdict, speed, reason = probe_cells(outcome)
    style = verdict_style(outcome.verdict)
    return [*map(Text, figures), Text(verdict, style), Text(speed), Text(safe(reason), "dim")]


def _reasons(outcomes: Sequence[TrialOutcome]) -> list[Text]:
    """Why trials do not fit; what one that fits measured stands in the table."""
    return [
        Text(f"{outcome.point.model_max_length} tokens: {safe(outcome.reason)}", style="dim")
        for outcome in outcomes
        if outcome.verdict is not Verdict.FITS
    ]
