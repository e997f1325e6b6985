"""Which run a command means that only looks: `watch` and `report`."""

from pathlib import Path

from autotune.base.errors import BadInput
from autotune.cli.run_folder import RUNS
from autotune.run.folder import RunDir
from autotune.run.overview import runs_in


def found_run(named: Path | None) -> Path:
    """The folder of a run: as named, by its name in `runs/`, or the newest there.

    Raises:
        BadInput: there is none.
    """
    if named is None:
        there = runs_in(RUNS) if RUNS.is_dir() else []
        # An evaluation that is over is nothing to look at, however new it is.
        found = [each for each in there if not each.is_evaluation or each.evaluated is None]
        if not found:
            raise BadInput(f"{RUNS}: holds no run; begin one, or give a run's folder")
        return found[0].folder
    for folder in (named, RUNS / named):
        rundir = RunDir(folder)
        if rundir.events.is_file() or rundir.is_worked_at:  # one that begins has no record yet
            return folder
    if named.is_file():
        raise BadInput(f"{named}: is a file; give a run's folder{_holding(named)}")
    what = "holds no run (no events.jsonl)" if named.is_dir() else "is not there"
    raise BadInput(f"{named}: {what}; give a run's folder (smolsft-autotune runs lists them)")


def _holding(path: Path) -> str:
    """The run's folder that a file lies in, where it does."""
    return f", such as {path.parent}" if RunDir(path.parent).events.exists() else ""
