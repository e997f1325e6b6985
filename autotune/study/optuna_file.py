"""`study.db`: the run's trials as an Optuna database, for Optuna's own tools to look at.

It is a copy of what the record says. Nothing is read from it but whether it still is one, so it may
be gone, damaged or locked without any loss: it is brought up to date or made again.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autotune.base.errors import EnvironmentFault
from autotune.base.files import move
from autotune.protocol.plan import Strategy
from autotune.run.record_file import free_name
from autotune.run.state import StudyState
from autotune.study.optuna_study import as_optuna_values, frozen, trials_of

LOCK_SECONDS = 5.0
"""How long another program may hold the file, such as a viewer that reads it."""

OF_THE_DISK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")
"""SQLite's names of errors that say nothing about the file's content."""

LEFTOVERS = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database while it writes, and plays back into one of that name."""

Rows = dict[str, list[Any]]
"""Optuna's frozen trials by strategy, in order of their numbers."""


class StudyFile:
    """The database of one run."""

    def __init__(self, path: Path, strategies: Sequence[Strategy]) -> None:
        self.path = path
        self.strategies = strategies

    def store(self, state: StudyState) -> str | None:
        """Bring the database in line with the record.

        Returns:
            What a person should know: that it was made again and why, or that it is locked.

        Raises:
            EnvironmentFault: the disk is full or failing, or the folder cannot be written.
        """
        if not state.trials or is_copy(self.path, state, self.strategies):
            return None
        wanted = recorded(state, self.strategies)
        with self._translated():
            wrong = self._update(wanted, state)
            if wrong is None or wrong is LOCKED:
                return wrong and f"{self.path.name}: {wrong}"
            aside = self._set_aside()
            self._make(wanted)
        if wrong is UNBORN:
            return None
        kept = f"; what was there is kept as {aside.name}" if aside is not None else ""
        return f"{self.path.name} {wrong}: rebuilt from the record{kept}"

    def _update(self, wanted: Rows, state: StudyState) -> str | None:
        """Add what is missing to the database that is there; says why it cannot be."""
        if not self.path.exists():
            # A run that ended between its first record of a trial and this had none yet.
            begun = len(state.trials) > 1 or state.trials[0].ended is not None
            return "was gone" if begun else UNBORN
        if not self.path.is_file():
            return "was no file"
        if self.path.stat().st_size == 0:
            return "was empty"
        try:
            with opened(self.path) as storage:
                return extend(storage, wanted)
        except Exception as error:  # whatever Optuna makes of a file that is no study
            cause = sqlite_error(error)
            name = getattr(cause, "sqlite_errorname", "")
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                return LOCKED
            if name.startswith(OF_THE_DISK) or isinstance(error, OSError):
                raise
            return f"was damaged ({cause or type(error).__name__})"

    def _set_aside(self) -> Path | None:
        """Give what is there another name; what SQLite would play back into a new file goes."""
        aside = None
        if self.path.exists() and not (self.path.is_file() and self.path.stat().st_size == 0):
            aside = free_name(self.path.with_name(f"{self.path.name}.damaged"))
            move(self.path, aside)
        for ending in LEFTOVERS:
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        return aside

    def _make(self, wanted: Rows) -> None:
        """Make the database beside its place and put it there in one step."""
        work = self.path.with_name(f".{self.path.name}.tmp")
        work.unlink(missing_ok=True)
        with opened(work) as storage:
            extend(storage, wanted)
        move(work, self.path)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the disk as one line about the file."""
        try:
            yield
        except Exception as error:
            cause = sqlite_error(error)
            if cause is None and not isinstance(error, OSError):
                raise
            first = str(cause or error).strip().splitlines()[0]
            raise EnvironmentFault(
                f"{self.path}: cannot be used ({first}); free disk space, then run the same command"
                " again: nothing is lost with it, it is rebuilt from the record"
            ) from error


LOCKED = "locked by another program; the run continues without it and updates it later"
UNBORN = "was not made yet"


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Optuna's storage in a file. No connection is kept, so the file is closed between questions.

    The connection is made here and not by a URL: in one, `?`, `#`, `%20` and, to Optuna, braces
    mean something else than the characters of a folder's name.
    """
    import optuna
    from sqlalchemy.pool import NullPool

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(
        "sqlite://",
        engine_kwargs={
            "poolclass": NullPool,
            "creator": lambda: sqlite3.connect(os.fspath(path), timeout=LOCK_SECONDS),
        },
    )
    try:
        yield storage
    finally:
        with contextlib.suppress(Exception):
            storage.remove_session()
        storage.engine.dispose()


def recorded(state: StudyState, strategies: Sequence[Strategy]) -> Rows:
    """The record's trials as Optuna's, by strategy; a number that is missing is a failed trial.

    (Runs of an earlier version asked Optuna first and recorded then.)
    """
    import optuna

    found: Rows = {}
    searched: Mapping[str, dict[str, tuple[float, float]]] = {s.name: s.search for s in strategies}
    for name in dict.fromkeys(trial.plan.strategy for trial in state.trials):
        trials = {t.optuna_number: t for t in trials_of(state, name)}
        found[name] = [
            frozen(trials[number], searched.get(name, {}))
            if number in trials
            else optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL)
            for number in range(max(trials) + 1)
        ]
    return found


def is_copy(path: Path, state: StudyState, strategies: Sequence[Strategy]) -> bool:
    """Whether a database holds exactly the record's trials, asked without loading Optuna.

    No is no judgement: the file may be locked, or of another version of Optuna.
    """
    if not path.is_file():
        return False
    searched = {s.name: s.search for s in strategies}
    expected = {
        (trial.plan.strategy, trial.optuna_number): as_optuna_values(
            trial, searched.get(trial.plan.strategy, {})
        )
        for trial in state.trials
    }
    try:
        with contextlib.closing(sqlite3.connect(os.fspath(path), timeout=0.1)) as connection:
            rows = connection.execute(
                "select trial_id, study_name, number, state"
                " from trials join studies using (study_id)"
            ).fetchall()
            drawn = connection.execute(
                "select trial_id, param_name, param_value from trial_params"
            ).fetchall()
            values = dict(connection.execute("select trial_id, value from trial_values").fetchall())
    except sqlite3.Error:
        return False
    params: dict[int, dict[str, float]] = {}
    for trial_id, name, value in drawn:
        params.setdefault(trial_id, {})[name] = value
    found = {
        (study, number): (known, params.get(trial_id, {}), values.get(trial_id))
        for trial_id, study, number, known in rows
    }
    return found == expected


def extend(storage: Any, wanted: Rows) -> str | None:
    """Add the trials that are missing and close those that are over.

    Returns:
        Why the database is not the record's, None where it is now.
    """
    import optuna

    for name in set(optuna.get_all_study_names(storage)) - wanted.keys():
        if optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False):
            return f"held trials of a strategy {name} that the record does not know"
    for name, rows in wanted.items():
        study = optuna.create_study(
            study_name=name, storage=storage, direction="maximize", load_if_exists=True
        )
        there = study.get_trials(deepcopy=False)
        if len(there) > len(rows):
            return f"held more trials of strategy {name} than the record"
        for number, row in enumerate(rows):
            if number >= len(there):
                study.add_trial(row)
            elif row.params and there[number].params != row.params:
                return f"held other values of trial {number} of strategy {name} than the record"
            elif (there[number].state, there[number].value) == (row.state, row.value):
                continue
            elif there[number].state is not optuna.trial.TrialState.RUNNING:
                return f"held another end of trial {number} of strategy {name} than the record"
            elif row.value is None:
                study.tell(number, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(number, row.value)
    return None


def sqlite_error(error: BaseException | None) -> sqlite3.Error | None:
    """SQLite's own error behind those that SQLAlchemy and Optuna make of it."""
    while error is not None:
        if isinstance(error, sqlite3.Error):
            return error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return None
