"""The rows of each strategy: how many were read, dropped, trained on, and what is kept of them."""

from collections.abc import Iterator

from autotune.base.format import percent
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
        yield DataUsed(
            strategy=name,
            data=survey.data or (state.run.data if state.run else ""),
            rows=survey.conversations + dropped,
            dropped=dropped,
            conversations=shape.conversations,
            held_out=plan.held_out if plan else 0,
            model_max_length=shape.model_max_length,
            max_rounds=shape.max_rounds,
            kept_supervised=found.kept_supervised if found and same else None,
        )


def data_table(report: Report) -> Table:
    """A row a strategy; no rows where the data is not read yet."""
    numbers = ("rows read", "dropped", "trained on", "held out", "length x rounds", "kept")
    return Table(
        (Column("strategy"), Column("data"), *(Column(name, True) for name in numbers)),
        tuple(
            Row(
                (
                    used.strategy,
                    used.data,
                    str(used.rows),
                    str(used.dropped),
                    str(used.conversations),
                    str(used.held_out),
                    shape_text(used.model_max_length, used.max_rounds),
                    NOT_KNOWN if used.kept_supervised is None else percent(used.kept_supervised),
                )
            )
            for used in report.data_used
        ),
        "Kept: share of the supervised tokens of all rows that this length and these rounds leave."
        " Held out: not trained on, their loss tells how the training does.",
    )
