"""Two chat files as one: so many conversations of each, drawn by a seed, in an order by it.

A record is written as it is read, as one line of JSON: whatever it says of its turns still holds.
"""

import json
import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotune.data.files import RecordStream
from autotune.data.formats import FORMATS
from autotune.data.load import ConversationStream
from autotune.data.reading import AUTO
from autotune.protocol.plan import DataSpec


@dataclass(frozen=True, slots=True)
class Mixture:
    """The text of the file, JSON Lines, and how many conversations of each are in it."""

    text: str
    own: int
    others: int


def mixture(
    own: DataSpec, others: DataSpec, *, share: float, seed: int, most: int | None
) -> Mixture:
    """A share (0..1) of conversations of the `own` file, the rest of the `others`.

    As many in all as both files have for that share, `most` at most: of the file that has more, and
    of both where there is a limit, conversations are drawn. Only records that give a conversation
    count, and none that is left out for a scored prompt. A record that is read in a format by its
    name keeps no key of another, so that it is read alike in the mixture.

    Raises:
        BadInput: one of the files cannot be read as chat data.
    """
    usable = [_usable(spec) for spec in (own, others)]
    counts = mixed_counts(len(usable[0]), len(usable[1]), share, most)
    rng = random.Random(f"{seed}:mixture")
    lines: list[str] = []
    for spec, numbers, count in zip((own, others), usable, counts, strict=True):
        lines += _lines(spec, frozenset(rng.sample(numbers, count)))
    rng.shuffle(lines)
    return Mixture("".join(lines), *counts)


def mixed_counts(own: int, others: int, share: float, most: int | None) -> tuple[int, int]:
    """How many of `own` and of `others` conversations there are in the largest mixture of a share.

    One of each at least, where `most` leaves room for both.
    """
    # A billionth more, so that a third of 3 is 1 in floating point too.
    total = min(own / share, others / (1 - share), math.inf if most is None else most)
    whole = math.floor(total + 1e-9)
    first = min(own, max(1, round(whole * share)))
    return first, max(0, min(others, whole - first))


def _usable(spec: DataSpec) -> Sequence[int]:
    """The numbers of the records that give a conversation."""
    # Whether the model's chat template takes tools is seen by the process that reads tokenizers.
    return [number for number, _ in ConversationStream(spec, no_tools=None)]


def _lines(spec: DataSpec, rows: Collection[int]) -> list[str]:
    foreign = frozenset[str]()
    if spec.format != AUTO:
        used = FORMATS[spec.format].used
        foreign = frozenset(key for known in FORMATS.values() for key in known.used) - used
    records = RecordStream(Path(spec.path), spec.skip_bad)
    return [_line(row, foreign) for number, row in records if number in rows]


def _line(row: Mapping[str, Any], foreign: Collection[str]) -> str:
    kept = {key: _plain(value) for key, value in row.items() if key not in foreign}
    text = json.dumps(kept, ensure_ascii=False, allow_nan=False, default=str)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, in a key that nothing reads
        text = json.dumps(kept, allow_nan=False, default=str)
    # Line separators of Unicode are none of JSON Lines; what reads lines of text may take them so.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "\n"


def _plain(value: Any) -> Any:
    """A value as JSON has it: a table may hold numbers that are none."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
