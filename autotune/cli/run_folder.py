"""Which run folder a command works in: the one named, an unfinished one, or a new one."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autotune.base.errors import AutotuneError, BadInput, Interruption
from autotune.base.files import remove_tree, write_text_atomic
from autotune.base.format import counted, quoted
from autotune.cli.folder_work import RUN, FolderWork, work_in
from autotune.cli.settings import damaged, difference, is_text, settings_text, stored_settings
from autotune.config.profile import Profile
from autotune.protocol.events import RunStarted
from autotune.run.folder import RunDir, new_run_folder
from autotune.run.record_cache import RecordCache
from autotune.score.answers import count_answers
from autotune.sources.say import Say, say_nothing

RUNS = Path("runs")


def choose_folder(
    named: Path | None,
    profile: Profile,
    say: Say = say_nothing,
    record_cache: RecordCache | None = None,
    belongs: Callable[[Path], bool] = lambda _: True,
    work: FolderWork = RUN,
    *,
    make: bool = True,
) -> tuple[Path, bool]:
    """The run folder and whether there is something in it to go on with.

    Without a name, the newest unfinished run of the same settings in `runs/` is taken up again; its
    record is among the `record_cache` then. It must be one that `belongs` to what is worked at.
    `work` is what the folder is for. One with a new name is made, unless it is only asked for
    (`make`): open it at once, so that it goes again should nothing come of it.

    Raises:
        BadInput: the named folder holds a run of other settings, or other files, or has a name that
            cannot be written down.
        EnvironmentFault: what the named folder's run was asked for cannot be read.
    """
    if named is None:
        found = resumable_run((profile,), say, record_cache, belongs, work)
        if found is not None:
            return found, True
        name = f"{work.prefix}{Path(profile.model.source).name}"
        return new_run_folder(RUNS, name, time.time(), make=make), False
    if not is_text(str(named)):
        raise BadInput(f"--run-dir {named}: its name is not valid Unicode; give another folder")
    if named.exists() and not named.is_dir():
        raise BadInput(f"--run-dir {named}: is a file, must be a folder; give another name")
    stored = stored_settings(named)
    if stored is None:
        rundir = RunDir(named)
        if rundir.events.exists():
            raise damaged(rundir.run_toml, "missing")
        if named.is_dir() and not rundir.is_unused:
            raise BadInput(f"--run-dir {named}: holds files but no run; give a new or empty folder")
        return named, False
    held = work_in(named)
    if held not in (None, work):
        raise BadInput(
            f"--run-dir {named}: holds {held.noun}, not {work.noun}; give another folder"
        )
    other = difference(stored, profile, named, work.may_change)
    if other is not None:
        raise BadInput(f"--run-dir {named}: was started with {other}, or give another folder")
    return named, True


def demand_record(named: Path) -> None:
    """Refuse to salvage where no run has begun, before one is begun there.

    Raises:
        BadInput: the folder holds no record.
    """
    if not RunDir(named).events.exists():
        raise BadInput(
            f"--run-dir {named}: holds no run, so there is nothing to salvage; give the folder of"
            " the damaged run, or leave out --salvage to begin one"
        )


def is_part(shared: bool, study: str | None, folder: Path) -> bool:
    """Whether a folder's run works at a study of this name (None: of the folder's), or at none."""
    wanted = (study or folder.name) if shared else None
    begun = [record.event for record in RunDir(folder).record.of_kind("run_started")]
    last = begun[-1] if begun else None
    return not isinstance(last, RunStarted) or last.study == wanted


def demand_study(run: RunStarted | None, study: str | None, folder: Path) -> None:
    """Refuse to go on with a run as a part of another study than it began with, or of none.

    Raises:
        BadInput: that.
    """
    if run is None or not run.target or run.study == study:
        return
    if run.study is None:
        raise BadInput(
            f"--run-dir {folder}: holds a run by itself; give another folder to work at a study, or"
            " leave --storage out to resume it"
        )
    raise BadInput(
        f"--run-dir {folder}: works at study {run.study}; add --storage with its database and"
        f" --study {quoted(run.study)}, or give another folder"
    )


def resumable_run(
    profiles: Sequence[Profile],
    say: Say = say_nothing,
    record_cache: RecordCache | None = None,
    belongs: Callable[[Path], bool] = lambda _: True,
    work: FolderWork = RUN,
) -> Path | None:
    """The newest unfinished `work` in `runs/` with the settings of one of these.

    A folder there that cannot be read is passed over with a line: it stops no other run. The record
    is read to its end for that, so that damage shows before the run is resumed.
    """
    record_cache = record_cache or RecordCache()
    for folder in sorted(RUNS.glob("*/"), reverse=True):
        try:
            stored = stored_settings(folder)
            if stored is None or all(
                difference(stored, p, folder, work.may_change) is not None for p in profiles
            ):
                continue
            if work.unfinished(folder) and belongs(folder):
                record_cache.of(RunDir(folder))
                return folder
        except (AutotuneError, OSError) as error:
            say(f"passed over {folder}: {' '.join(str(error).split())}")
    return None


def store_settings(rundir: RunDir, profile: Profile) -> None:
    """Write `run.toml`, once."""
    if not rundir.run_toml.exists():
        write_text_atomic(rundir.run_toml, settings_text(profile))


@contextmanager
def undone_if_empty(rundir: RunDir) -> Iterator[None]:
    """Leave no folder behind when a new run fails before anything happened in it.

    What was there before stays: entered before the settings are stored, which tell what another
    process began.
    """
    is_new = not rundir.run_toml.exists()
    try:
        yield
    except (AutotuneError, KeyboardInterrupt) as error:
        if is_new and not rundir.events.exists():
            _leave_nothing(rundir, error)
        raise


@contextmanager
def undone_without_answers(rundir: RunDir, responses: Path) -> Iterator[None]:
    """Leave no folder behind when an evaluation, or practice data, ends before its first answer.

    One that has answers is kept, and an error says so. What was there before stays, as above.
    """
    is_new = not rundir.run_toml.exists()
    try:
        yield
    except (AutotuneError, KeyboardInterrupt) as error:
        number = count_answers(responses)
        if number and isinstance(error, AutotuneError) and not isinstance(error, BadInput):
            error.add(
                f"{rundir.root} keeps {counted(number, 'answer')}; to resume, give the same command"
                f" with --run-dir {quoted(str(rundir.root))}"
            )
        elif not number and is_new:
            _leave_nothing(rundir, error)
            rundir.events.unlink(missing_ok=True)
            for name in ("eval", "practice", "work"):
                remove_tree(rundir.root / name)
        raise


@contextmanager
def interruption_from(make: Callable[[], Interruption]) -> Iterator[None]:
    """Say after an interrupt what the command leaves: `make` looks once all is tidied up."""
    try:
        yield
    except KeyboardInterrupt:
        raise make() from None


def _leave_nothing(rundir: RunDir, error: BaseException) -> None:
    if isinstance(error, AutotuneError):
        error.quote_log(rundir.root)
    rundir.forget()
