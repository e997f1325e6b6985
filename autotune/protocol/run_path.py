r"""Paths inside a run: what a record keeps of them, so that the run's folder can move.

A record names what lies in its run by the path from the run's folder, with forward slashes. Records
of older versions hold a checkpoint's path as the folder was named then (`run\trials\0000\...`); the
part that lies in the run is the same wherever the run lies now.
"""

import re
from pathlib import Path

_CHECKPOINT = re.compile(
    r"(?:.*[/\\])?(trials[/\\]\d+[/\\]checkpoints[/\\][^/\\]+)[/\\]*", re.DOTALL
)


def checkpoint_in_run(path: str) -> str:
    """A checkpoint's path from the folder of its run; another path stays as it is."""
    found = _CHECKPOINT.fullmatch(path)
    return found[1].replace("\\", "/") if found else path


def from_folder(path: str, folder: Path) -> str:
    """A path as seen from `folder`, with forward slashes; one outside of it stays as it is."""
    try:
        return Path(path).absolute().relative_to(folder.absolute()).as_posix()
    except ValueError:
        return path
