"""What was tried and what of it made the difference, as tables for both pages."""

from collections.abc import Callable

from autotune.base.format import percent, rate_text
from autotune.protocol.space import Value
from autotune.report.schema import Report
from autotune.report.table import NOT_KNOWN, Column, Row, Table
from autotune.report.trial_schema import TrialReport

_HEADINGS: dict[str, str] = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "num_train_epochs": "epochs",
    "warmup_ratio": "warm-up",
    "weight_decay": "decay",
    "max_rounds": "rounds",
    "neftune_noise_alpha": "noise",
    "average_checkpoints": "averaged",
}
"""The searchable keys in few letters, in the order of their columns."""

_WRITTEN: dict[str, Callable[[float], str]] = {
    "learning_rate": rate_text,
    "warmup_ratio": lambda value: f"{value:.3g}",
    "weight_decay": lambda value: f"{value:.3g}",
}
"""How a value is written that is no whole number or word."""


def points_table(report: Report) -> Table:
    """What each trial was asked to train with, and what that came to."""
    best = report.best
    missing = any(t.value is not None and t.value < 0 for t in report.trials)
    return Table(
        (
            Column("trial"),
            Column("stage"),
            *(Column(title, True) for title in _HEADINGS.values()),
            Column("came to", True),
        ),
        tuple(
            Row(
                (str(t.number), t.strategy, *_values(t), _came_to(t)),
                best=best is not None and best in t.checkpoints,
            )
            for t in report.trials
            if t.point
        ),
        f"Came to: what the best checkpoint counts for{choosing_half(report)}, by which the next"
        " points are drawn"
        + ("; minus one where something required is missing." if missing else "."),
    )


def choosing_half(report: Report) -> str:
    """On which prompts a trial's value is, where those are not the ones that are reported."""
    chosen = report.best is not None and report.best.chosen_by is not None
    return ", on the half of the prompts that chooses" if chosen else ""


def importances_table(report: Report) -> Table:
    """Which keys made the difference, where there are trials enough to tell."""
    return Table(
        (Column("what differed between the trials"), Column("importance", True)),
        tuple(
            Row((_HEADINGS.get(key, key), percent(share, 0)))
            for key, share in report.importances.items()
        ),
        "By PED-ANOVA: how far the values of the better trials lie from those of all. Of few trials"
        " it is a hint and no more.",
    )


def hosts_table(report: Report) -> Table:
    """Every trial of the shared study that the run worked at; no rows where it was by itself."""
    texts = ("trial", "strategy", "host", "card", "state")
    numbers = ("score", "counts for", "genuine", "any prompt", "hours")
    total = report.study
    return Table(
        (
            *map(Column, texts),
            *(Column(name, True) for name in numbers),
            Column("checkpoint, on its host"),
        ),
        tuple(
            Row(
                (
                    str(t.number),
                    t.strategy,
                    t.host,
                    t.card,
                    t.outcome.lower(),
                    NOT_KNOWN if t.passes is None else f"{t.passes}/{t.n}",
                    NOT_KNOWN if t.counts is None else percent(t.counts),
                    NOT_KNOWN if t.genuine is None else str(t.genuine),
                    NOT_KNOWN if t.shuffled is None else percent(t.shuffled),
                    NOT_KNOWN if t.hours is None else f"{t.hours:.2f}",
                    t.failure or t.checkpoint or NOT_KNOWN,
                ),
                best=t.number == total.best,
            )
            for t in total.trials
        )
        if total is not None
        else (),
        dash="not scored, or not at an end",
    )


def _values(trial: TrialReport) -> tuple[str, ...]:
    return tuple(_written(key, trial.point.get(key)) for key in _HEADINGS)


def _written(key: str, value: Value | None) -> str:
    if value is None or isinstance(value, str):
        return NOT_KNOWN if value is None else value
    return _WRITTEN[key](value) if key in _WRITTEN else f"{value:g}"


def _came_to(trial: TrialReport) -> str:
    return NOT_KNOWN if trial.value is None else percent(trial.value)
