"""The tables of a report as text, made once: both of its pages draw the same ones."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autotune.base.format import duration, percent, rate_text
from autotune.protocol.estimate import TrialEstimate
from autotune.protocol.result_text import points_text, score_text, shape_text, share_name
from autotune.protocol.results import Fit, Health, TrialOutcome
from autotune.protocol.scores import Metric
from autotune.report.schema import (
    BaselineReport,
    CheckpointScore,
    FullScore,
    Report,
    TimeSpent,
    TrialReport,
)
from autotune.score.health import MIN_DIFFERENT_WORDS
from autotune.score.scorer import Scorer
from autotune.text.fit import PROBE_COLUMNS, TIMED_COLUMNS, probe_cells, timed_cells

NOT_KNOWN = "n/a"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; numbers stand to the right of their column, and `whole` cells on one line."""

    title: str
    number: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A cell for each column; `best` marks the row of the best checkpoint.

    `tone` is how the last cell, a verdict, is to be seen: `good`, `bad`, or "" for neither.
    """

    cells: tuple[str, ...]
    best: bool = False
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, rows, and a sentence that explains the columns, "" where they need none."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    legend: str = ""


def before_and_after(report: Report, scorer: Scorer) -> Table:
    """The baselines, the model before training, and the best checkpoint."""
    scored: list[tuple[str, BaselineReport | CheckpointScore | FullScore, bool]] = []
    known = report.baselines
    scored += [(b.described, known[b.name], False) for b in scorer.baselines if b.name in known]
    if "untrained" in known:
        scored.append(("the model before training", known["untrained"], False))
    if (best := report.best) is not None:
        name = "the best checkpoint" + (" so far, about" if best.ended_early else "")
        scored.append((name, best, True))
    if (full := report.best_in_full) is not None:
        scored.append((f"the best checkpoint, all prompts of {full.prompts}", full, False))
    shares = shares_of(scorer)
    return Table(
        (
            Column("answers of"),
            Column(f"{scorer.main.column} [95 %]", True),
            Column("lift", True),
            *_titles(shares),
        ),
        tuple(
            Row((name, _score(score), _lift(score), *_health(score.health, shares)), best)
            for name, score, best in scored
        ),
    )


def trials_table(report: Report) -> Table:
    """Every training of the run."""
    texts = ("trial", "strategy")
    measured = any(t.held_out for t in report.trials)
    losses = ("loss", "held-out loss") if measured else ("loss",)
    numbers = ("lr", "length x rounds", "step", *losses, "weights moved", "time")
    return Table(
        (*map(Column, texts), *(Column(name, True) for name in numbers), Column("verdict")),
        tuple(
            Row(
                (
                    str(t.number),
                    t.strategy,
                    rate_text(t.learning_rate),
                    shape_text(t.model_max_length, t.max_rounds),
                    f"{t.step}/{t.total_steps}",
                    NOT_KNOWN if t.final_loss is None else f"{t.final_loss:.3f}",
                    *([_held_out(t)] if measured else []),
                    NOT_KNOWN if t.weights_moved is None else percent(t.weights_moved, 3),
                    NOT_KNOWN if t.training_seconds is None else duration(t.training_seconds),
                    t.verdict,
                )
            )
            for t in report.trials
        ),
        HELD_OUT_LEGEND if measured else "",
    )


HELD_OUT_LEGEND = (
    "Held-out loss: of conversations that are not trained on, before training and at each fifth of"
    " the steps."
)


def _held_out(trial: TrialReport) -> str:
    """`1.732, 1.612, 1.580`, in order of the steps."""
    losses = ("not finite" if p.loss is None else f"{p.loss:.3f}" for p in trial.held_out)
    return ", ".join(losses) or NOT_KNOWN


def times_table(report: Report) -> Table:
    """Planned against actual, a row a trial; no rows where nothing was planned."""
    numbers = ("training planned", "took", "scoring planned", "took", "whole planned", "took")
    return Table(
        (Column("trial"), *(Column(name, True) for name in numbers), Column("off", True)),
        tuple(
            Row((f"{t.number} ({t.strategy})", *_times(t.expected, t.took)))
            for t in report.trials
            if t.expected is not None
        ),
        "Planned when the trial began: the probe's speed and the untrained model's time, corrected"
        " by the trials before. Pauses of a resumed run do not count.",
    )


def _times(expected: TrialEstimate, took: TimeSpent) -> Iterator[str]:
    """Planned and actual of a trial's parts and of the whole, and how far off that was."""
    parts = (took.training_seconds, took.scoring_seconds)
    whole = None if None in parts else sum(part for part in parts if part is not None)
    planned = (expected.training, expected.scoring, expected.seconds)
    for at, (before, after) in enumerate(zip(planned, (*parts, whole), strict=True)):
        bound = "at most " if expected.at_most and at else ""
        yield f"{bound}{duration(before)}"
        yield NOT_KNOWN if after is None else duration(after)
    if whole is None or not expected.seconds:
        yield NOT_KNOWN
        return
    yield f"{round((whole / expected.seconds - 1) * 100):+d} %"


def checkpoints_table(report: Report, scorer: Scorer) -> Table:
    """Every scored checkpoint; no rows where none is."""
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
        _legend(shares),
    )


def probe_trials_table(fit: Fit) -> Table:
    """What was tried to find what fits."""
    return _of_trials(PROBE_COLUMNS, fit.trials, probe_cells)


def timed_table(fit: Fit) -> Table:
    """What was timed to find the fastest micro-batch setting."""
    return _of_trials(TIMED_COLUMNS, fit.speed_trials, timed_cells)


def _of_trials(
    titles: Sequence[str],
    trials: Sequence[TrialOutcome],
    cells: Callable[[TrialOutcome], tuple[str, ...]],
) -> Table:
    words = ("verdict", "reason")
    return Table(
        tuple(Column(title, title not in words) for title in titles),
        tuple(Row(cells(trial)) for trial in trials),
    )


def timeline_table(report: Report) -> Table:
    """All that happened, in order."""
    rows = (Row((moment_text(moment.time), moment.text)) for moment in report.timeline)
    return Table((Column("when", whole=True), Column("what")), tuple(rows))


def moment_text(seconds: float) -> str:
    """A time as UTC, to the second: a report is read elsewhere than where it was made."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


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
        f"Lift: points of the score that are following. Shares of the answers ({names}): {counted}."
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
