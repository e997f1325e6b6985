"""What all hosts of a shared study found: every trial, the best, and what that is worth."""

from collections.abc import Sequence
from typing import Any

from autotune.protocol import events
from autotune.run.setup import Setup
from autotune.score.prompts import Prompt
from autotune.study.next_trial import best_of
from autotune.study.selection_bias import without_selection_bias
from autotune.study.shared.carried import CARD, HOST, RUN, shared_summary
from autotune.study.shared.verdicts import unpack


def study_total(
    name: str, trials: Sequence[Any], order: Sequence[Prompt], setup: Setup
) -> events.StudyTotal:
    """The event of a study's end, as this worker sees it; `trials` are Optuna's.

    `order` is the random order of the prompts, which is the same on every host.
    """
    best = best_of([shared_summary(trial) for trial in trials])
    number = None if best is None else best.number
    corrected = _corrected(trials, number, order, setup)
    return events.StudyTotal(
        study=name,
        trials=tuple(_row(trial) for trial in trials),
        best=number,
        candidates=sum(len(_verdicts(trial)) for trial in trials),
        corrected=None if corrected is None else corrected[0],
        interval=None if corrected is None else corrected[1],
    )


def _row(trial: Any) -> events.HostTrial:
    carried = trial.user_attrs
    fields = {
        name: carried.get(name)
        for name in events.HostTrial.model_fields
        if carried.get(name) is not None
    }
    return events.HostTrial.model_validate(
        fields
        | {
            "number": trial.number,
            "outcome": trial.state.name,
            "host": carried.get(HOST, ""),
            "card": carried.get(CARD, ""),
            "run_folder": carried.get(RUN, ""),
        }
    )


def _verdicts(trial: Any) -> dict[str, Any]:
    found = trial.user_attrs.get("verdicts")
    return found if isinstance(found, dict) else {}


def _corrected(
    trials: Sequence[Any], best: int | None, order: Sequence[Prompt], setup: Setup
) -> tuple[float, tuple[float, float]] | None:
    """What the best is worth without its selection bias, from everybody's verdicts.

    None where there was no choice, where other prompts chose (a holdout), or where the best has
    not all verdicts.
    """
    if best is None or setup.profile.evaluate.holdout:
        return None
    table: list[dict[int, bool]] = []
    for trial in trials:
        chosen = str(trial.user_attrs.get("checkpoint", ""))
        for name, packed in _verdicts(trial).items():
            row = unpack(order, packed)
            is_best = trial.number == best and chosen.replace("\\", "/").endswith(f"/{name}")
            table.insert(0 if is_best else len(table), row)
    if len(table) < 2 or len(table[0]) != len(order) or not all(table):
        return None
    return without_selection_bias(table, setup.profile.prompts.seed)
