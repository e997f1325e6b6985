"""A run whose record is damaged goes on with what stands before it. Nothing is thrown away."""

import re
from pathlib import Path

from autotune.base.errors import EnvironmentFault
from autotune.base.files import move
from autotune.base.format import counted
from autotune.run.folder import RunDir
from autotune.run.record_file import free_name

_NUMBER = re.compile(r"(?:trial-)?(\d+)(?:-[^.]*)?")
"""The number of a trial in the name of its folder, or of an evaluation of its checkpoints."""


def salvage(rundir: RunDir) -> str:
    """Keep what the record says before its first damaged line; says what came of it.

    Trials that the record does not know any more are set aside, so that others of their number do
    not go on from their checkpoints or take their answers for their own.

    Raises:
        EnvironmentFault: the disk is full, or the folder cannot be written.
    """
    damage = rundir.record.find_damage()
    if damage is None:
        return f"{rundir.events.name}: no line is damaged, so nothing had to be salvaged"
    aside = [set_aside(folder) for folder in unknown_folders(rundir, damage.trials)]
    # Last, so that whoever dies before finds the damage again and does the rest.
    kept = rundir.record.keep_before(damage)
    more = (
        f"; {counted(len(aside), 'folder')} of trials after it are set aside as well"
        if aside
        else ""
    )
    return (
        f"{rundir.events.name}:{damage.line} was not a record ({damage.reason}): the run resumes"
        f" from the {counted(damage.line - 1, 'line')} before it; the file as it was is"
        f" {kept.name}{more}"
    )


def unknown_folders(rundir: RunDir, trials: int) -> list[Path]:
    """The folders of trials from number `trials` on: their checkpoints, and their evaluations."""
    parents = (rundir.trial_folder(0).parent, rundir.eval_folder("untrained").parent)
    found = [path for parent in parents if parent.is_dir() for path in sorted(parent.iterdir())]
    numbers = {path: _NUMBER.fullmatch(path.name) for path in found}
    return [path for path in found if (at := numbers[path]) and int(at.group(1)) >= trials]


def set_aside(folder: Path) -> Path:
    """Give a folder another name beside its own."""
    aside = free_name(folder.with_name(f"{folder.name}.damaged"))
    try:
        move(folder, aside)
    except OSError as error:
        raise EnvironmentFault(
            f"{folder}: cannot be set aside ({error.strerror or error}); close what uses it, then"
            " run the same command again"
        ) from error
    return aside
