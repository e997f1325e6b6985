"""What stands below a table of scores: its rows and columns explained, those that it has."""

from collections.abc import Collection, Iterator

from autotune.protocol.result_text import share_name
from autotune.report.table import NOT_KNOWN, Table
from autotune.score.health import MIN_DIFFERENT_WORDS

UNTRAINED = "baseline: the model before training"
ON_OTHER_PROMPTS = "baseline: the best checkpoint's answers on other prompts"
LIFT = "lift"

_BASELINES = {
    UNTRAINED: "the model before training, which shows what training did",
    ON_OTHER_PROMPTS: (
        "the best checkpoint's own answers judged by other prompts than theirs, which pass without"
        " following anything (each answer by several prompts, so such passes have no interval)"
    ),
}
_WITHOUT_A_MODEL = "an answer without a model, which any score must beat"

_SHARES = {
    "stop": "ended by themselves",
    "loop": "ended in repeats of one piece (and then stopped or not)",
    "echo": "gave the prompt back",
    "empty": "said nothing",
}
"""What the shares of all answers count; that of the trivial ones is of the passing answers."""


def legend_of(table: Table) -> str:
    """Of the first table of scores: what its baselines are for, then what its columns count."""
    named = [row.cells[0] for row in table.rows if not row.best]
    titles = [column.title for column in table.shown.columns]
    return " ".join((*_rows(named), *_columns(titles))) if table.rows else ""


def dash_of(table: Table) -> str:
    """Why a cell of a table of scores has a dash."""
    own = "those are the best checkpoint's own answers, whose lift and shares stand in its row"
    gaps = {row.cells[0] for row in table.shown.rows if NOT_KNOWN in row.cells}
    if ON_OTHER_PROMPTS not in gaps:
        return "not measured"
    return own if len(gaps) == 1 else f"not measured, or on other prompts: {own}"


def _rows(named: Collection[str]) -> Iterator[str]:
    found = [_WITHOUT_A_MODEL] if any(name not in _BASELINES for name in named) else []
    found += [words for name, words in _BASELINES.items() if name in named]
    if found:
        yield f"Baseline{'s' if len(named) > 1 else ''}: {'; '.join(found)}."


def _columns(titles: Collection[str]) -> Iterator[str]:
    if LIFT in titles:
        yield "Lift: points of the score that come of following the prompt."
    shares = {share_name(name): words for name, words in _SHARES.items()}
    named = [name for name in shares if name in titles]
    if named:
        counted = ", ".join(shares[name] for name in named)
        yield f"Shares of the answers ({', '.join(named)}): {counted}."
    if share_name("vacuous") in titles:
        yield (
            f"Trivial: share of the passes with fewer than {MIN_DIFFERENT_WORDS} different words."
        )
