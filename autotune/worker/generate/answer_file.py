"""The file of answers: each is flushed to the disk as it comes; a partial last line is removed."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from autotune.base.model import Boundary


def append(path: Path, answers: Sequence[Boundary]) -> None:
    """Add answers to the file and flush them to disk: they cost minutes."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        for answer in answers:
            file.write(json.dumps(answer.model_dump(), ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def remove_partial_line(path: Path) -> None:
    """Remove a last line that a killed process left unfinished."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        with path.open("rb+") as file:
            file.truncate(len(whole))
