"""What of a report is due to practice data: how held-out kinds came out beside the practised ones.

Shown where a trial trained on practice data: for the untrained model, for the best checkpoint, and
for the best of those that practised where that is another one.
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter

from autotune.protocol import events
from autotune.report.schema import PracticeReport, Report
from autotune.report.score_schema import KindScore, KindsScore
from autotune.report.table import Column, Row, Table
from autotune.run.state import StudyState


def practice_reports(state: StudyState) -> tuple[PracticeReport, ...]:
    """Each practice data that a trial of the run trained on."""
    found = (state.practice_of(trial.plan.strategy) for trial in state.trials)
    each = {id(event): event for event in found if event is not None}
    return tuple(PracticeReport.from_parts(event) for event in each.values())


def kinds_scores(state: StudyState) -> tuple[KindsScore, ...]:
    """The figures of every model that they are known of; none where no kinds were held out."""
    practised = [t for t in state.trials if state.practice_of(t.plan.strategy) is not None]
    bests = [trial.best for trial in practised]
    own = max((b for b in bests if b is not None), key=attrgetter("rank"), default=None)
    held_out = _held_out(state, own)
    if not held_out:
        return ()
    return tuple(_scores(state, own, held_out))


def _held_out(state: StudyState, own: events.Evaluated | None) -> tuple[str, ...]:
    """The choice of kinds that counts: of what the best one practised on, else of any trial."""
    trials = [t for t in state.trials if own is None or t.number == own.number]
    found = (state.practice_of(trial.plan.strategy) for trial in trials)
    return next((event.held_out for event in found if event is not None), ())


def _scores(
    state: StudyState, own: events.Evaluated | None, held_out: tuple[str, ...]
) -> Iterator[KindsScore]:
    best, full = state.best, state.best_in_full
    scored: list[tuple[str, str, Iterable[events.KindsApart]]] = []
    if (untrained := state.baselines.get("untrained")) is not None:
        scored.append(("untrained", "the model before training", untrained.kinds))
    if best is not None:
        scored.append(("best", "the best checkpoint", best.kinds))
    if own is not None and own is not best:
        scored.append(("best_practised", "the best that practised", own.kinds))
    if full is not None:
        name = f"the best checkpoint, all prompts of {full.prompts}"
        scored.append(("best_in_full", name, full.kinds))
    for of, described, kinds in scored:
        for apart in kinds:
            if apart.held_out == held_out:
                yield KindsScore(
                    of=of,
                    described=described,
                    held_out=held_out,
                    held_out_instructions=KindScore.of(apart.held_out_instructions),
                    practised_instructions=KindScore.of(apart.practised_instructions),
                    unpractised_instructions=KindScore.of(apart.unpractised_instructions),
                    held_out_prompts=KindScore.of(apart.held_out_prompts),
                    other_prompts=KindScore.of(apart.other_prompts),
                )


_KINDS = {
    "held_out_instructions": "instructions of held-out kinds",
    "practised_instructions": "instructions of practised kinds",
    "unpractised_instructions": "instructions of other kinds",
    "held_out_prompts": "prompts with a held-out kind",
    "other_prompts": "prompts without",
}
"""What is counted apart, a row each."""


def kinds_table(report: Report) -> Table:
    """Held-out kinds beside the rest, a column a model; no rows where nothing is known of them.

    That is so as well where no prompt has such a kind.
    """
    asked = any(score.held_out_instructions.n for score in report.kinds)
    scores = report.kinds if asked else ()
    others = any(score.unpractised_instructions.n for score in scores)
    shown = [name for name in _KINDS if others or name != "unpractised_instructions"]
    return Table(
        (
            Column("passes of [95 %]"),
            *(Column(score.described, True) for score in scores),
        ),
        tuple(
            Row((_KINDS[name], *(getattr(score, name).text for score in scores)))
            for name in (shown if scores else ())
        ),
        _legend(scores[0].held_out, others) if scores else "",
    )


def _legend(held_out: tuple[str, ...], others: bool) -> str:
    text = (
        f"Held out of practice: {', '.join(held_out)}. Who learned the rules that were practised"
        " follows more of those; who learned to follow, more of the held-out ones as well."
    )
    return f"{text} Other kinds: none of their chats came to be practised." if others else text
