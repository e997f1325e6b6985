"""The numbers of a strategy's next trial: its exact values first, then draws from its ranges.

A draw is Optuna's, made from the trials that the run's record holds and from nothing else. So it
is the same whether or not a process died before it could record one, and whatever became of
`study.db`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from autotune.protocol.plan import SEARCHABLE, Strategy
from autotune.run.state import StudyState, TrialState


def draw(state: StudyState, strategy: Strategy, seed: int) -> tuple[int, dict[str, Any]]:
    """The number of a strategy's new trial, and the values that replace the strategy's.

    Numbers count from 0 in each strategy. Every trial has a seed of its own, so that none draws
    again what the one before it drew.
    """
    earlier = trials_of(state, strategy.name)
    number = max((t.optuna_number for t in earlier), default=-1) + 1
    if not strategy.search:
        return number, {}
    if not earlier:
        return number, {name: getattr(strategy, name) for name in strategy.search}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed + number)
    )
    for trial in earlier:
        study.add_trial(frozen(trial, strategy.search))
    drawn = study.ask({name: distribution(name, *ends) for name, ends in strategy.search.items()})
    return number, dict(drawn.params)


def trials_of(state: StudyState, strategy: str) -> Sequence[TrialState]:
    """The recorded trials of a strategy, in order."""
    return [trial for trial in state.trials if trial.plan.strategy == strategy]


def frozen(trial: TrialState, search: dict[str, tuple[float, float]]) -> Any:
    """A recorded trial as Optuna's: its values of the searched keys, its state and its value."""
    import optuna

    state, values, value = as_optuna_values(trial, search)
    # A strategy's exact values may stand outside its ranges, which Optuna does not take as they are
    # in a trial that is added.
    ranges = {
        name: distribution(name, min(low, values[name]), max(high, values[name]))
        for name, (low, high) in search.items()
    }
    known = optuna.trial.TrialState[state]
    return optuna.trial.create_trial(state=known, value=value, params=values, distributions=ranges)


def as_optuna_values(
    trial: TrialState, search: Iterable[str]
) -> tuple[str, dict[str, float], float | None]:
    """What Optuna knows of a recorded trial: its state by name, its searched values, its value."""
    values = {name: float(getattr(trial.plan, name)) for name in search}
    if trial.ended is None:
        return "RUNNING", values, None
    value = objective(trial)
    return ("FAIL" if value is None else "COMPLETE"), values, value


def distribution(name: str, low: float, high: float) -> Any:
    """The range of a key."""
    import optuna

    return optuna.distributions.FloatDistribution(low, high, log=SEARCHABLE[name] == "log")


def objective(trial: TrialState) -> float | None:
    """What Optuna is given of a trial: the value of its best checkpoint, None where it has none."""
    best = trial.best_scored  # its values were as good, whatever became of its weights
    return None if trial.failure is not None or best is None else best.value
