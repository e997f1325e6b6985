"""SHA-256 of files, and what a git-lfs pointer looks like."""

import hashlib
from pathlib import Path

from autotune.data.file_kinds import LFS_POINTER


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """Hexadecimal SHA-256 of a text as it is written to a file: UTF-8, newlines as they are."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def has_digest(path: Path, sha256: str) -> bool:
    """Whether `path` is a file with exactly this content; unreadable counts as no."""
    try:
        return path.is_file() and sha256_of(path) == sha256
    except OSError:
        return False


def is_lfs_pointer(path: Path) -> bool:
    """Whether the file is the short text that git-lfs leaves where a large file belongs."""
    with path.open("rb") as file:
        return file.read(len(LFS_POINTER)) == LFS_POINTER
