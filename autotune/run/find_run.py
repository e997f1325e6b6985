"""Which run a folder belongs to."""

from pathlib import Path

from autotune.run.folder import RunDir


def run_of(path: Path) -> RunDir | None:
    """The run whose folder holds `path`, or is it."""
    for folder in (path, *path.absolute().parents):
        run = RunDir(folder)
        if run.run_toml.is_file() and run.prompts.is_file():
            return run
    return None
