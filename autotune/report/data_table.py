"""The rows of each strategy: how many were read, dropped, trained on, and what is kept of them."""

from collections.abc import Iterator, Sequence

from autotune.base.format import kept_percent
from autotune.protocol.data_notes import DataNote
from autotune.protocol.result_text import shape_text
from autotune.report.schema import DataUsed, Report
from autotune.report.table import NOT_KNOWN, Column, Row, Table
from autotune.run.state import StudyState


def data_used(state: StudyState) -> tuple[DataUsed, ...]:
    """An entry for each strategy that was tried, or that will have its turn."""
    return tuple(_each(state))


def _each(state: StudyState) -> Iterator[DataUsed]:
    planned = state.fit.strategies if state.fit is not None else {}
    plans = {trial.plan.strategy: trial.plan for trial in state.trials}
    for name in dict.fromkeys((*planned, *plans)):
        found, plan = planned.get(name), plans.get(name)
        survey = state.own_surveys.get(name, state.survey)
        if survey is None or (plan is None and (found is None or not found.planned)):
            continue
        dropped = sum(survey.dropped.values())
        shape = plan or found
        assert shape is not None
        same = found is not None and (found.model_max_length, found.max_rounds) == (
            shape.model_max_length,
            shape.max_rounds,
        )
        held_out = plan.held_out if plan else 0
        yield DataUsed(
            strategy=name,
            data=survey.data or (state.run.data if state.run else ""),
            rows=survey.conversations + dropped,
            dropped=dropped,
            lost=max(0, survey.conversations - shape.conversations - held_out),
            conversations=shape.conversations,
            held_out=held_out,
            model_max_length=shape.model_max_length,
            max_rounds=shape.max_rounds,
            kept_supervised=found.kept_supervised if found and same else None,
        )


def data_notes(state: StudyState) -> Iterator[DataNote]:
    """What was found in the rows; of the run's own data by its name, where there is other data."""
    for surveyed in state.surveys:
        own = state.run.data if state.run and state.own_surveys and not surveyed.strategies else ""
        for note in surveyed.found:
            yield note.model_copy(update={"data": own}) if own else note


def data_table(report: Report) -> Table:
    """A row a strategy; no rows where the data is not read yet."""
    counts = ("rows read", "dropped", "held out", "trained on")
    numbers = (*counts, "length x rounds", "tokens kept")
    return Table(
        (Column("strategy"), Column("data"), *(Column(name, True) for name in numbers)),
        tuple(
            Row(
                (
                    used.strategy,
                    used.data,
                    str(used.rows),
                    str(used.dropped + used.lost),
                    str(used.held_out),
                    str(used.conversations),
                    shape_text(used.model_max_length, used.max_rounds),
                    NOT_KNOWN
                    if used.kept_supervised is None
                    else kept_percent(used.kept_supervised),
                )
            )
            for used in report.data_used
        ),
        " ".join(_legend(report.data_used)),
    )


def _legend(each: Sequence[DataUsed]) -> Iterator[str]:
    if any(used.dropped + used.lost for used in each):
        yield (
            "Dropped: unfit rows, and those of which this length and these rounds leave nothing to"
            " learn."
        )
    if any(used.held_out for used in each):
        yield "Held out: not trained on, their loss tells how the training does."
    if any(used.kept_supervised is not None for used in each):
        yield "Tokens kept: the share of the supervised tokens of all rows that is left."
