"""Which faults are tried: all that can happen to an undisturbed run, or some, evenly."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence

from tests.faults.control import Fault, Kind, Operation, Role

WRITES = ("write", "open", "mkdir")
"""What a full disk refuses."""

_CHANGING = re.compile(r"(?<=\.)[0-9a-f]{8}(?=\.tmp)|\d+")


def kinds_of(operation: Operation) -> Iterator[Kind]:
    """What can become of an operation.

    A kill before a look is the same as one before the next change; half of a rename there is not.
    """
    yield Kind.EIO
    if operation.name == "look":
        return
    yield Kind.KILL
    if operation.name in WRITES:
        yield Kind.ENOSPC
    if operation.name == "write":
        yield Kind.TEAR


def every_fault(operations: Iterable[Operation]) -> list[Fault]:
    """All of them."""
    return [Fault(op.role, kind, op.at) for op in operations for kind in kinds_of(op)]


def situation(operation: Operation) -> tuple[Role, str, str]:
    """What an operation is for, whatever its turn: its name and its path without numbers."""
    return operation.role, operation.name, _CHANGING.sub("#", operation.path)


def some_faults(operations: Sequence[Operation], count: int, seed: int) -> list[Fault]:
    """`count` of them, spread over kinds and situations evenly, the turn drawn by a seed."""
    draw = random.Random(seed)
    turns: dict[tuple[Role, str, str], list[Operation]] = {}
    for operation in operations:
        turns.setdefault(situation(operation), []).append(operation)
    by_kind: dict[Kind, list[list[Operation]]] = {}
    for found in turns.values():
        for kind in kinds_of(found[0]):
            by_kind.setdefault(kind, []).append(found)
    chosen = []
    for number, (kind, situations) in enumerate(sorted(by_kind.items())):
        share = (count + len(by_kind) - 1 - number) // len(by_kind)
        begin = draw.random()
        for at in range(min(share, len(situations))):
            place = int((at + begin) * len(situations) / share)
            turn = draw.choice(situations[place])
            chosen.append(Fault(turn.role, kind, turn.at))
    return chosen
