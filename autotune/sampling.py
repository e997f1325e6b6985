"""Optuna behind three verbs: ask for a trial's numbers, tell its value, settle after a crash.

One study a strategy, all in the run folder's SQLite file. The first trial of a strategy is its
exact values; more of them sample the strategy's `search` ranges.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from autotune.errors import EnvironmentFault
from autotune.files import move
from autotune.plan import Strategy
from autotune.study import StudyState, TrialState

_WHOLE = {"num_train_epochs", "batch_size", "model_max_length", "max_rounds"}
_LOG = {"learning_rate"}


class Sampler:
    """The studies of one run."""

    def __init__(self, database: Path, seed: int) -> None:
        self.database = database
        self.seed = seed

    def ask(self, strategy: Strategy, first: bool) -> tuple[int, dict[str, Any]]:
        """The Optuna number of a new trial and the values that replace the strategy's."""
        import optuna

        with self._translated():
            study = self._study(strategy.name)
            if first and not study.get_trials(deepcopy=False):
                study.enqueue_trial({name: getattr(strategy, name) for name in strategy.search})
            trial = study.ask(
                {
                    name: optuna.distributions.IntDistribution(int(low), int(high))
                    if name in _WHOLE
                    else optuna.distributions.FloatDistribution(low, high, log=name in _LOG)
                    for name, (low, high) in strategy.search.items()
                }
            )
            self._back_up()
            return trial.number, dict(trial.params)

    def tell(self, strategy: str, number: int, value: float | None) -> None:
        """Close a trial with its value (higher is better), or as failed with None.

        Telling twice is allowed: a run that died between telling and recording tells again.
        """
        import optuna

        with self._translated():
            study = self._study(strategy)
            if value is None:
                study.tell(number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
            else:
                study.tell(number, float(value), skip_if_finished=True)
            self._back_up()

    def settle(self, state: StudyState) -> None:
        """Bring Optuna's trials in line with the run's record, which is the truth.

        A trial that the record closed is told; one that runs in Optuna but is not in the record
        (the process died between asking and recording) is queued again with its values and failed.
        """
        import optuna

        if not self.database.exists():
            return
        recorded = {(t.plan.strategy, t.optuna_number): t for t in state.trials}
        with self._translated():
            for name in optuna.get_all_study_names(self._storage):
                study = optuna.load_study(study_name=name, storage=self._storage)
                for trial in study.get_trials(
                    deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)
                ):
                    known = recorded.get((name, trial.number))
                    if known is None:
                        # Killed before it had drawn them all, it has those it was queued with;
                        # killed between these two steps, it finds its own entry in the queue.
                        values = trial.system_attrs.get("fixed_params", {}) | trial.params
                        if values not in self._queued(study):
                            study.enqueue_trial(values)
                        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                    elif known.ended is not None:
                        self.tell(name, trial.number, objective(known))

    def _queued(self, study: Any) -> list[dict[str, Any]]:
        """The values of the trials that wait in the queue."""
        import optuna

        waiting = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,))
        return [trial.system_attrs.get("fixed_params", {}) for trial in waiting]

    def _study(self, name: str) -> Any:
        import optuna

        study = optuna.create_study(
            study_name=name, storage=self._storage, direction="maximize", load_if_exists=True
        )
        # The sampler is new each time, as it is after a restart. A seed of its own for each trial
        # keeps one from drawing again what the one before it drew.
        seed = self.seed + len(study.get_trials(deepcopy=False))
        study.sampler = optuna.samplers.TPESampler(seed=seed)
        return study

    @cached_property
    def _storage(self) -> Any:
        """The database, opened when it is first asked something.

        No connection is kept between two questions, so the file is closed whenever it is copied.
        """
        import optuna
        from sqlalchemy.pool import NullPool

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        return optuna.storages.RDBStorage(
            f"sqlite:///{self.database.as_posix()}", engine_kwargs={"poolclass": NullPool}
        )

    def _back_up(self) -> None:
        """Keep a copy beside the database, made of a closed file, replaced in one step."""
        if self.database.exists():
            work = self.database.with_suffix(".bak.tmp")
            shutil.copyfile(self.database, work)
            move(work, self.database.with_suffix(".db.bak"))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's and Optuna's storage errors as one line about the file."""
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (StorageInternalError, SQLAlchemyError, OSError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else "unknown"
            raise EnvironmentFault(
                f"{self.database}: cannot be used ({first}); free disk space or restore"
                f" {self.database.with_suffix('.db.bak').name}, then run the same command again"
            ) from error


def objective(trial: TrialState) -> float | None:
    """What Optuna is told of a trial: the rank of its best checkpoint, None where it has none."""
    from autotune.study import rank

    return None if trial.failure is not None or trial.best is None else rank(trial.best)
