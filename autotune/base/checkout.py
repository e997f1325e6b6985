"""Which commit a git checkout stands at, read from its files: git itself need not be there."""

import re
from pathlib import Path

SHOWN_DIGITS = 12
"""Of a commit's name: enough to tell it from every other one of a repository."""

_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def commit_of(root: Path) -> str | None:
    """The first digits of the commit that is checked out in `root`.

    None where `root` is no top of a checkout, has no commit yet, or keeps its references in a form
    that is not known here.
    """
    try:
        folder = _git_folder(root)
        if folder is None:
            return None
        head = _text(folder / "HEAD")
        name = _resolved(folder, head.removeprefix("ref: ")) if head.startswith("ref: ") else head
    except (OSError, ValueError):
        return None
    return name[:SHOWN_DIGITS] if name is not None and _NAME.fullmatch(name) else None


def _git_folder(root: Path) -> Path | None:
    """Where git keeps what it knows: `.git`, or the folder that a file of that name points to."""
    place = root / ".git"
    if place.is_dir():
        return place
    if not place.is_file():
        return None
    head, _, path = _text(place).partition("gitdir: ")
    return root / path if path and not head else None


def _resolved(folder: Path, reference: str) -> str | None:
    """The commit of a reference; those of all worktrees of a repository lie in one folder."""
    common = folder / "commondir"
    shared = folder / _text(common) if common.is_file() else folder
    for place in (folder / reference, shared / reference):
        if place.is_file():
            return _text(place)
    packed = shared / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    found = (line.split(" ", 1)[0] for line in lines if line.endswith(f" {reference}"))
    return next(found, None)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
