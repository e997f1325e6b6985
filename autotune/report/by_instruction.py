"""How each kind of instruction is followed before training and by the best checkpoint."""

from collections.abc import Iterator, Mapping

from autotune.protocol.results import EvalReport
from autotune.protocol.scores import Metric
from autotune.report.schema import Report
from autotune.report.score_schema import InstructionScore, KindScore
from autotune.report.table import NOT_KNOWN, Column, Row, Table
from autotune.run.state import StudyState

NOTHING: Mapping[str, Metric] = {}


def instruction_scores(
    state: StudyState, before: EvalReport | None, after: EvalReport | None
) -> tuple[InstructionScore, ...]:
    """Every instruction that was asked for; none where no best checkpoint's are known.

    `before` and `after` are on the run's own prompts; those on all of a source are on record.
    """
    full = state.best_in_full
    untrained = state.beside_best_in_full.get("untrained")
    counts = {
        "before": before.by_type if before else NOTHING,
        "after": after.by_type if after else NOTHING,
        "before_in_full": untrained.by_type if untrained else NOTHING,
        "after_in_full": full.by_type if full else NOTHING,
    }
    if not counts["after"] and not counts["after_in_full"]:
        return ()
    names = sorted({name for found in counts.values() for name in found})
    return tuple(
        InstructionScore(
            instruction=name,
            **{of: KindScore.of(found[name]) for of, found in counts.items() if name in found},
        )
        for name in names
    )


_HEADINGS = {
    "before": "before training",
    "after": "best checkpoint",
    "before_in_full": "before, all prompts",
    "after_in_full": "best, all prompts",
}


def instructions_table(report: Report) -> Table:
    """A row an instruction, the largest gain first; no rows where none is known."""
    scores = report.by_instruction
    shown = [name for name in _HEADINGS if any(getattr(s, name) is not None for s in scores)]
    ends = ("before_in_full", "after_in_full")
    pair = ends if set(ends) <= set(shown) else ("before", "after")
    ranked = sorted(scores, key=lambda s: (-(_change(s, pair) or 0.0), s.instruction))
    return Table(
        (
            Column("instruction", whole=True),
            *(Column(f"{_HEADINGS[name]} [95 %]", True) for name in shown),
            Column("points", True),
        ),
        tuple(Row(tuple(_cells(score, shown, pair))) for score in ranked),
        "Strict passes of each kind of instruction, the largest gain first. Of few instructions"
        " the intervals are wide, and a difference of a few points is none."
        if scores
        else "",
        "none of those prompts asks for it",
    )


def _cells(score: InstructionScore, shown: list[str], pair: tuple[str, str]) -> Iterator[str]:
    yield score.instruction
    for name in shown:
        found: KindScore | None = getattr(score, name)
        yield NOT_KNOWN if found is None else found.text
    change = _change(score, pair)
    yield NOT_KNOWN if change is None else f"{100 * change:+.1f}"


def _change(score: InstructionScore, pair: tuple[str, str]) -> float | None:
    """What was gained, -1..1; None where one of both is not known."""
    first, second = (getattr(score, name) for name in pair)
    return None if first is None or second is None else second.share - first.share
