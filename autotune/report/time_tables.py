"""Where the time of a run went, and how long its trials were expected to take."""

from collections.abc import Iterator

from autotune.base.format import duration, percent
from autotune.protocol.estimate import TrialEstimate
from autotune.report.schema import Report
from autotune.report.table import NOT_KNOWN, Column, Row, Table
from autotune.report.trial_schema import TimeSpent

ALL = "all"
"""The last row of what the time went into, its sum."""


def time_split_table(report: Report) -> Table:
    """Seconds by what was done, of the time from the first record to the last."""
    whole = sum(report.time_split.values())
    parts = [*report.time_split.items(), *(((ALL, whole),) if len(report.time_split) > 1 else ())]
    return Table(
        (Column("what"), Column("time", True), Column("share", True)),
        tuple(
            Row((what, duration(s), percent(s / whole if whole else 1.0, 0)), best=what == ALL)
            for what, s in parts
        ),
        " ".join(f"{note[:1].upper()}{note[1:]}." for note in report.time_notes),
    )


def times_table(report: Report) -> Table:
    """Planned against actual, a row a trial; no rows where nothing was planned."""
    numbers = ("training planned", "took", "scoring planned", "took", "whole planned", "took")
    return Table(
        (
            Column("trial", whole=True),
            *(Column(name, True) for name in numbers),
            Column("off", True),
        ),
        tuple(
            Row((f"{t.number} ({t.strategy})", *_times(t.expected, t.took)))
            for t in report.trials
            if t.expected is not None
        ),
        "Planned when the trial began: the probe's speed and the untrained model's time, corrected"
        " by the trials before. Off: how much longer or shorter the whole took. Pauses of a resumed"
        " run do not count.",
        "not over",
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
