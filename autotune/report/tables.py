"""The tables of trainings, of what the probe tried and of all that happened."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from autotune.base.format import duration, percent, rate_text
from autotune.protocol.result_text import shape_text
from autotune.protocol.results import Fit, TrialOutcome
from autotune.report.schema import Report
from autotune.report.table import NOT_KNOWN, Column, Row, Table
from autotune.report.trial_schema import TrialReport
from autotune.text.fit import PROBE_COLUMNS, TIMED_COLUMNS, probe_cells, timed_cells


def trials_table(report: Report) -> Table:
    """Every training of the run."""
    texts = ("trial", "strategy")
    measured = any(t.held_out for t in report.trials)
    losses = ("last loss", "loss by epoch", *(("held-out loss",) if measured else ()))
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
                    ", ".join(f"{loss:.3f}" for loss in t.epoch_losses) or NOT_KNOWN,
                    *([_held_out(t)] if measured else []),
                    NOT_KNOWN if t.weights_moved is None else percent(t.weights_moved, 3),
                    NOT_KNOWN if (took := _took(t)) is None else duration(took),
                    t.verdict,
                )
            )
            for t in report.trials
        ),
        " ".join(_legends(report, measured)),
        "the training did not come that far, or not by itself",
    )


def _legends(report: Report, measured: bool) -> Iterator[str]:
    if report.trials:
        yield LOSS_LEGEND
    if measured:
        yield HELD_OUT_LEGEND
    if any(trial.took.training_seconds is not None for trial in report.trials):
        yield TIME_LEGEND


LOSS_LEGEND = (
    "Last loss: of the last step alone, of few conversations. Loss by epoch: the mean of its steps."
)

HELD_OUT_LEGEND = (
    "Held-out loss: of conversations that are not trained on, before training and after each fifth"
    " of the steps but the last: at the end it would decide nothing."
)


TIME_LEGEND = (
    "Time: with the start of the process that trains, and with all parts of a resumed training; the"
    " list of all that happened counts neither."
)
"""`took` is by the record, what a worker says it took by its own clock, from when it is there."""


def _held_out(trial: TrialReport) -> str:
    """`1.732, 1.612, 1.580`, in order of the steps."""
    losses = ("not finite" if p.loss is None else f"{p.loss:.3f}" for p in trial.held_out)
    return ", ".join(losses) or NOT_KNOWN


def _took(trial: TrialReport) -> float | None:
    """How long it trained, with all that was resumed; of an older report its last part."""
    return trial.took.training_seconds or trial.training_seconds


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
    words = ("verdict", "reason", "timed on", "length x rounds")
    return Table(
        tuple(Column(title, title not in words) for title in titles),
        tuple(Row(cells(trial)) for trial in trials),
    )


def timeline_table(report: Report) -> Table:
    """All that happened, in order."""
    rows = (
        Row((moment_text(moment.time).removesuffix(f" {ZONE}"), moment.text))
        for moment in report.timeline
    )
    return Table((Column(f"when ({ZONE})", whole=True), Column("what")), tuple(rows))


ZONE = "UTC"


def moment_text(seconds: float) -> str:
    """A time as UTC, to the second: a report is read elsewhere than where it was made."""
    return datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%d %H:%M:%S {ZONE}")
