"""The scores of baselines and checkpoints as tables, each with n, interval, lift and health."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from autotune.base.format import percent
from autotune.protocol.result_text import points_text, score_text, share_name
from autotune.protocol.results import Health
from autotune.protocol.scores import Metric
from autotune.report.schema import Report
from autotune.report.score_legend import LIFT, ON_OTHER_PROMPTS, UNTRAINED, dash_of, legend_of
from autotune.report.score_schema import BaselineReport, CheckpointScore, FullScore
from autotune.report.table import NOT_KNOWN, Column, Row, Table
from autotune.report.trial_schema import TrialReport
from autotune.score.scorer import Scorer


def scores_table(report: Report, scorer: Scorer) -> Table:
    """The baselines and the best checkpoint, on the run's own prompts."""
    best = report.best
    name = "the best checkpoint" + (" so far, about" if best and best.ended_early else "")
    return _scores(scorer, report.baselines, name, best, first=report.best_in_full is None)


def full_scores_table(report: Report, scorer: Scorer) -> Table:
    """The same on all prompts of a source; no rows where the best is not scored on these."""
    full = report.best_in_full
    if full is None:
        return Table((), ())
    return _scores(scorer, full.baselines, "the best checkpoint", full, first=True)


def _scores(
    scorer: Scorer,
    baselines: Mapping[str, BaselineReport],
    name: str,
    best: CheckpointScore | FullScore | None,
    *,
    first: bool,
) -> Table:
    """Such a table; the `first` of a report explains what all of them show."""
    shares = shares_of(scorer)
    scored: list[tuple[str, BaselineReport | CheckpointScore | FullScore]] = [
        (f"baseline: {b.described}", baselines[b.name])
        for b in scorer.baselines
        if b.name in baselines
    ]
    if "untrained" in baselines:
        scored.append((UNTRAINED, baselines["untrained"]))
    rows = [
        Row((named, _score(score), _lift(score), *_health(score.health, shares)))
        for named, score in scored
    ]
    if best is not None:
        if best.lift is not None:
            chance = score_text(best.lift.shuffled, None)
            unknown = (NOT_KNOWN for _ in shares)
            rows.append(Row((ON_OTHER_PROMPTS, chance, NOT_KNOWN, *unknown)))
        cells = (name, _score(best), _lift(best), *_health(best.health, shares))
        rows.append(Row(cells, best=True))
    columns = (
        Column("answers of"),
        Column(f"{scorer.main.column} [95 %]", True),
        Column(LIFT, True),
        *_titles(shares),
    )
    table = Table(columns, tuple(rows))
    return replace(table, legend=legend_of(table) if first else "", dash=dash_of(table))


def checkpoints_table(report: Report, scorer: Scorer) -> Table:
    """Every scored checkpoint; no rows where none is. The first table of scores has the legend."""
    shares = shares_of(scorer)
    beside = [f for f in scorer.others if f.column is not None and f.key is not None]
    best = report.best.checkpoint if report.best else None

    def row(trial: TrialReport, score: CheckpointScore) -> Row:
        figures = (score.figure(f.key or "") for f in beside)
        verdict, tone = _verdict(score)
        return Row(
            (
                f"{trial.number} ({trial.strategy})",
                _place(score),
                str(score.step),
                _score(score),
                _lift(score),
                *(NOT_KNOWN if f is None else percent(f.accuracy) for f in figures),
                *_health(score.health, shares),
                verdict,
            ),
            score.checkpoint == best,
            tone,
        )

    numbers = (
        "progress",
        "step",
        f"{scorer.main.column} [95 %]",
        LIFT,
        *(f.column or "" for f in beside),
    )
    return Table(
        (
            Column("trial", whole=True),
            *(Column(name, True) for name in numbers),
            *_titles(shares),
            Column("verdict"),
        ),
        tuple(row(trial, score) for trial in report.trials for score in trial.checkpoints),
        "",
        "answers that were not judged to their end have none",
    )


def shares_of(scorer: Scorer) -> tuple[str, ...]:
    """The shares of `Health` that say something of this scorer's answers, in order."""
    return tuple(name for name in Health.model_fields if name in scorer.health_checks)


def _titles(shares: Iterable[str]) -> Iterator[Column]:
    return (Column(share_name(name), True) for name in shares)


def _score(score: CheckpointScore | BaselineReport | FullScore) -> str:
    """`6/24 25.0 % [12-45]`, or that there is none."""
    if score.passes is None or score.n is None:
        return "no valid score"
    return score_text(Metric.of(score.passes, score.n), score.interval)


def _verdict(score: CheckpointScore) -> tuple[str, str]:
    """What a checkpoint's score means for the target, and its tone."""
    if score.problem:
        return score.problem, ""
    if score.ended_early:
        return f"estimate, {score.ended_early}", ""
    if score.lost:
        return f"{score.outcome}; its weights are lost", "bad"
    return score.outcome, "good" if score.met else "bad" if score.unmet else ""


def _lift(score: CheckpointScore | BaselineReport | FullScore) -> str:
    """What of the score is following, in points."""
    return NOT_KNOWN if score.lift is None else points_text(score.lift)


def _place(score: CheckpointScore) -> str:
    """How far its training was, or of how many checkpoints it is the mean."""
    return f"average of {score.averaged}" if score.averaged else percent(score.progress, 0)


def _health(health: Health | None, shares: Iterable[str]) -> Iterator[str]:
    for name in shares:
        share = getattr(health, name) if health else None
        yield NOT_KNOWN if share is None else percent(share, 0)
