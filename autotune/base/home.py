"""`~` at the begin of a path, where no shell stood between the person and us that would read it."""

from os import PathLike
from pathlib import Path


def from_home(path: str | PathLike[str]) -> Path:
    r"""The path with `~` or `~NAME` at its begin replaced by that user's home.

    PowerShell hands on `~\runs\a` as it is typed, and bash `--run-dir=~/runs/a`. A name of no user,
    such as that of a file called `~chats.jsonl`, stays as it is.
    """
    path = Path(path)
    first, *more = path.parts or ("",)
    if not first.startswith("~"):
        return path
    try:
        home = Path(first).expanduser()
    except RuntimeError:  # there is no such user, or nobody can say where this one's home is
        return path
    # For any name Windows says that the home is beside one's own.
    return home.joinpath(*more) if first == "~" or home.is_dir() else path
