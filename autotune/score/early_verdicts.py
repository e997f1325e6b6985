"""Answers that were left unfinished because their strict verdict was certain.

They stand in a file of their own beside the finished ones: an unfinished answer has no loose
verdict and no health, so it never counts as an answer. Its tokens are kept, so that it can be
finished later.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from autotune.base.errors import BadInput
from autotune.base.model import Boundary
from autotune.score.jsonl import read_objects


class DecidedLine(Boundary):
    """One line of `decided.jsonl`: the verdict, the instruction that fails, the tokens so far."""

    key: int
    strict: bool
    instruction: str | None
    ids: tuple[int, ...]


def decided_file(responses: Path) -> Path:
    """Where the decided answers beside a file of finished ones stand."""
    return responses.with_name("decided.jsonl")


def read_decided(path: Path) -> Mapping[int, DecidedLine]:
    """By prompt key; none where there is no file. A truncated last line is passed over.

    Raises:
        BadInput: `file:line: what` for a line that is none of these.
    """
    if not path.exists():
        return {}
    found: dict[int, DecidedLine] = {}
    for place, record in read_objects(path, allow_truncated_end=True):
        try:
            line = DecidedLine.model_validate(record, strict=False)  # JSON knows no tuples
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadInput(f"{place}: {where}: {first['msg']}") from None
        found[line.key] = line
    return found
