"""`study.db`: the run's trials as an Optuna database, for Optuna's own tools to look at.

It is a copy of what the record says. Nothing is read from it but whether it still is one, so it may
be gone, damaged or locked without any loss: it is brought up to date or made again.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autotune.base.errors import EnvironmentFault
from autotune.base.files import move
from autotune.config.profile import Profile
from autotune.protocol.space import SEARCHABLE, Space
from autotune.run.record_file import free_name
from autotune.run.state import StudyState
from autotune.run.trial_summary import TrialSummary, summaries
from autotune.study.optuna_study import STUDY, frozen, quiet_optuna, whole_space

LOCK_SECONDS = 5.0
"""How long another program may hold the file, such as a viewer that reads it."""

OF_THE_DISK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")
"""SQLite's names of errors that say nothing about the file's content."""

LEFTOVERS = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database while it writes, and plays back into one of that name."""


class StudyFile:
    """The database of one run."""

    def __init__(self, path: Path, profile: Profile) -> None:
        self.path = path
        self.profile = profile

    def store(self, state: StudyState) -> str | None:
        """Bring the database in line with the record.

        Returns:
            What a person should know: that it was made again and why, or that it is locked.

        Raises:
            EnvironmentFault: the disk is full or failing, or the folder cannot be written.
        """
        trials = summaries(state)
        space = whole_space(self.profile, trials)
        if not trials or is_copy(self.path, trials, space):
            return None
        with self._translated():
            wrong = self._update(trials, space)
            if wrong is None or wrong is LOCKED:
                return wrong and f"{self.path.name}: {wrong}"
            aside = self._set_aside()
            self._make(trials, space)
        if wrong is UNBORN:
            return None
        kept = f"; what was there is kept as {aside.name}" if aside is not None else ""
        return f"{self.path.name} {wrong}: rebuilt from the record{kept}"

    def _update(self, trials: Sequence[TrialSummary], space: Space) -> str | None:
        """Add what is missing to the database that is there; says why it cannot be."""
        if not self.path.exists():
            # A run that ended between its first record of a trial and this had none yet.
            begun = len(trials) > 1 or trials[0].is_over
            return "was gone" if begun else UNBORN
        if not self.path.is_file():
            return "was no file"
        if self.path.stat().st_size == 0:
            return "was empty"
        try:
            with opened(self.path) as storage:
                return extend(storage, trials, space)
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

    def _make(self, trials: Sequence[TrialSummary], space: Space) -> None:
        """Make the database beside its place and put it there in one step."""
        work = self.path.with_name(f".{self.path.name}.tmp")
        work.unlink(missing_ok=True)
        with opened(work) as storage:
            extend(storage, trials, space)
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
    from sqlalchemy.pool import NullPool

    with quiet_optuna() as optuna:
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


def is_copy(path: Path, trials: Sequence[TrialSummary], space: Space) -> bool:
    """Whether a database holds exactly these trials, asked without loading Optuna.

    No is no judgement: the file may be locked, or of another version of Optuna.
    """
    if not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(os.fspath(path), timeout=0.1)) as connection:
            return rows_of(connection) == [as_rows(trial, space) for trial in trials]
    except (sqlite3.Error, ValueError):
        return False


Rows = tuple[str, dict[str, float], float | None, dict[int, float], dict[str, Any]]
"""A trial as Optuna's tables have it: state, parameters, value, reports, attributes."""


def as_rows(trial: TrialSummary, space: Space) -> Rows:
    """A trial as it should stand in the tables, where a choice is the number of its place."""
    params = {
        key: float(ends.index(at) if SEARCHABLE[key] == "choices" else at)  # else a number
        for key, ends in space.items()
        for at in (trial.point[key],)
    }
    return trial.outcome, params, trial.value, dict(trial.reports), dict(trial.attributes)


def rows_of(connection: sqlite3.Connection) -> list[Rows]:
    """The trials of the one study in a database, by number."""
    trials = connection.execute(
        "select trial_id, number, state from trials join studies using (study_id)"
        " where study_name = ? order by number",
        (STUDY,),
    ).fetchall()
    others = connection.execute("select count(*) from trials").fetchone()[0] - len(trials)
    if others or [number for _, number, _ in trials] != list(range(len(trials))):
        raise ValueError("trials of other studies")

    def table(query: str) -> dict[int, dict[Any, Any]]:
        found: dict[int, dict[Any, Any]] = {}
        for trial_id, key, value in connection.execute(query):
            found.setdefault(trial_id, {})[key] = value
        return found

    params = table("select trial_id, param_name, param_value from trial_params")
    reports = table("select trial_id, step, intermediate_value from trial_intermediate_values")
    attributes = table("select trial_id, key, value_json from trial_user_attributes")
    values = dict(connection.execute("select trial_id, value from trial_values").fetchall())
    return [
        (
            state,
            params.get(at, {}),
            values.get(at),
            reports.get(at, {}),
            {key: json.loads(text) for key, text in attributes.get(at, {}).items()},
        )
        for at, _, state in trials
    ]


def extend(storage: Any, trials: Sequence[TrialSummary], space: Space) -> str | None:
    """Add the trials that are missing, report what came since and close those that are over.

    Returns:
        Why the database is not the record's, None where it is now.
    """
    import optuna

    if others := set(optuna.get_all_study_names(storage)) - {STUDY}:
        return f"held a study {sorted(others)[0]} that is not this run's"
    study = optuna.create_study(
        study_name=STUDY, storage=storage, direction="maximize", load_if_exists=True
    )
    there = study.get_trials(deepcopy=False)
    if len(there) > len(trials):
        return "held more trials than the record"
    for number, trial in enumerate(trials):
        row = frozen(trial, space)
        if number >= len(there):
            study.add_trial(row)
            continue
        held = there[number]
        if held.params != row.params:
            return f"held other values of trial {number} than the record"
        if held.state is not optuna.trial.TrialState.RUNNING:
            if (held.state, held.value, held.intermediate_values, held.user_attrs) != (
                *(row.state, row.value, row.intermediate_values, row.user_attrs),
            ):
                return f"held another end of trial {number} than the record"
            continue
        if set(held.intermediate_values) - set(row.intermediate_values):
            return f"held other checkpoints of trial {number} than the record"
        report(storage, held, row)
        if row.state is not optuna.trial.TrialState.RUNNING:
            values = None if row.value is None else [row.value]
            storage.set_trial_state_values(held._trial_id, state=row.state, values=values)
    return None


def report(storage: Any, held: Any, row: Any) -> None:
    """Bring a running trial's reports and attributes in line."""
    for step, value in row.intermediate_values.items():
        if held.intermediate_values.get(step) != value:
            storage.set_trial_intermediate_value(held._trial_id, step, value)
    for key, value in row.user_attrs.items():
        if held.user_attrs.get(key) != value:
            storage.set_trial_user_attr(held._trial_id, key, value)


def sqlite_error(error: BaseException | None) -> sqlite3.Error | None:
    """SQLite's own error behind those that SQLAlchemy and Optuna make of it."""
    while error is not None:
        if isinstance(error, sqlite3.Error):
            return error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return None
