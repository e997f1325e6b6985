"""The scores of baselines and checkpoints as tables, each with n, interval, lift and health."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from autotune.base.format import percent
from autotune.protocol.result_text import points_text, score_text, share_name
from autotune.protocol.results import Health
from autotune.protocol.scores import Metric
from autotune.report.schema import Report
from autotune.report.score_schema import BaselineReport, CheckpointScore, FullScore
from autotune.report.table import NOT_KNOWN, Column, Row, Table
from autotune.report.trial_schema import TrialReport
from autotune.score.health import MIN_DIFFERENT_WORDS
from autotune.score.scorer import Scorer

WHAT_IT_IS_HELD_AGAINST = (
    "Told apart: an answer without a model, which any score must beat; the model before training,"
    " which shows what training did; and the best checkpoint's own answers judged by other prompts"
    " than theirs, which pass without following anything."
)


def scores_table(report: Report, scorer: Scorer) -> Table:
    """The baselines and the best checkpoint, on the run's own prompts."""
    best = report.best
    name = "the best checkpoint" + (" so far, about" if best and best.ended_early else "")
    legend = "" if report.best_in_full is not None else _what_stands_there(scorer)
    return _scores(scorer, report.baselines, name, best, legend)


def full_scores_table(report: Report, scorer: Scorer) -> Table:
    """The same on all prompts of a source; no rows where the best is not scored on these."""
    full = report.best_in_full
    if full is None:
        return Table((), ())
    legend = _what_stands_there(scorer)
    return _scores(scorer, full.baselines, "the best checkpoint", full, legend)


def _what_stands_there(scorer: Scorer) -> str:
    """The legend of the first table of scores: its rows, then its columns."""
    return f"{WHAT_IT_IS_HELD_AGAINST} {_legend(shares_of(scorer))}".strip()


def _scores(
    scorer: Scorer,
    baselines: Mapping[str, BaselineReport],
    name: str,
    best: CheckpointScore | FullScore | None,
    legend: str,
) -> Table:
    shares = shares_of(scorer)
    scored: list[tuple[str, BaselineReport | CheckpointScore | FullScore]] = [
        (f"baseline: {b.described}", baselines[b.name])
        for b in scorer.baselines
        if b.name in baselines
    ]
    if "untrained" in baselines:
        scored.append(("baseline: the model before training", baselines["untrained"]))
    rows = [
        Row((named, _score(score), _lift(score), *_health(score.health, shares)))
        for named, score in scored
    ]
    if best is not None:
        if best.lift is not None:
            chance = score_text(best.lift.shuffled, None)
            unknown = (NOT_KNOWN for _ in shares)
            rows.append(
                Row(
                    (
                        "baseline: the best checkpoint's answers on other prompts",
                        chance,
                        NOT_KNOWN,
                        *unknown,
                    )
                )
            )
        cells = (name, _score(best), _lift(best), *_health(best.health, shares))
        rows.append(Row(cells, best=True))
    return Table(
        (
            Column("answers of"),
            Column(f"{scorer.main.column} [95 %]", True),
            Column("lift", True),
            *_titles(shares),
        ),
        tuple(rows),
        legend if len(rows) > 1 else "",
        "of the best checkpoint's own answers, so it stands in its row",
    )


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
        "lift",
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


_SHARES = {
    "stop": "ended by themselves",
    "loop": "repeated without end",
    "echo": "gave the prompt back",
    "empty": "said nothing",
}
"""What the shares of all answers count; that of the trivial ones is of the passing answers."""


def _legend(shares: Sequence[str]) -> str:
    named = [name for name in shares if name in _SHARES]
    if not named:
        return ""
    names = ", ".join(map(share_name, named))
    counted = ", ".join(_SHARES[name] for name in named)
    text = (
        "Lift: points of the score that come of following the prompt. Shares of the answers"
        f" ({names}): {counted}."
    )
    if "vacuous" in shares:
        text += (
            f" Trivial: share of the passes with fewer than {MIN_DIFFERENT_WORDS} different words."
        )
    return text


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
