"""Whether the worker of a trial lives: it says so while it works, and another one looks.

Optuna's `optimize` does that by itself, `ask` and `tell` do not.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from autotune.study.shared.storage import MAX_RETRIES, database_error, quiet

RETRIES = "retry_history"
"""Optuna's attribute of a trial that was begun again: the numbers of those before it."""


@contextmanager
def heartbeat(storage: Any, trial_id: int) -> Iterator[None]:
    """Say in a thread that the trial's worker lives, for as long as the block takes.

    A beat that the database does not take is left out: it may be back for the next one.
    """
    over = threading.Event()
    seconds = storage.get_heartbeat_interval()

    def beat() -> None:
        while True:
            try:
                storage.record_heartbeat(trial_id)
            except Exception as error:
                if database_error(error) is None:
                    raise
            finally:
                storage.remove_session()
            if over.wait(seconds):
                return

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def give_up_stale(study: Any, storage: Any, ended: Collection[int]) -> None:
    """Trials whose worker is gone fail and are enqueued again with the same values.

    To be called by who holds the study's lock. `ended` are the numbers of failed trials that their
    own worker ended: every other failed one is one that was given up, and where the process that
    did so died before it enqueued it again, that is made good here.
    """
    import optuna

    with quiet():
        optuna.storages.fail_stale_trials(study)
        trials = study.get_trials(deepcopy=False)
        again = superseded(trials)
        for trial in trials:
            if (
                trial.state is optuna.trial.TrialState.FAIL
                and trial.number not in again
                and trial.number not in ended
                and len(trial.system_attrs.get(RETRIES, ())) < MAX_RETRIES
            ):
                storage.get_heartbeat_stale_trial_callback()(study, trial)


def superseded(trials: Collection[Any]) -> set[int]:
    """The numbers of trials in whose place another one stands."""
    return {number for trial in trials for number in trial.system_attrs.get(RETRIES, ())}
