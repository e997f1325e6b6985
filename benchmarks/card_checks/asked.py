"""What a check is asked, how it answers, and where its figures go while it works.

Standard library and the tool's base only, which needs no more: the parent of the checks runs before
any package is there.
"""

import itertools
import json
import os
import time
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from autotune.base.files import move


class Outcome(StrEnum):
    """How a step ended. `not here`: it ran, but only a card can answer its question."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_HERE = "not here"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"


DONE = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.NOT_HERE})
"""Outcomes that a later call does not ask for again."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One step's question: where, on what, for how long.

    `seconds` is the step's limit: a check does fewer points in less. `device` is what `--device`
    takes. `data` and `prompts` are what `--data` and `--prompts` take, `model` a model folder;
    `weights` says in words what is in it. With `rehearse` everything is tiny. `again`: what an
    earlier try left is no answer.
    """

    rehearse: bool
    device: str
    seconds: float
    work: str
    model: str
    weights: str
    data: str
    prompts: str
    again: bool = False

    @property
    def folder(self) -> Path:
        """The folder that all steps share."""
        return Path(self.work)

    @property
    def on_card(self) -> bool:
        """Whether there is a card to answer."""
        return self.device.startswith("cuda")

    @property
    def card_index(self) -> int:
        """The card's number as torch counts."""
        return int(self.device.partition(":")[2] or 0)

    def write(self, path: Path) -> None:
        """As JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> "Ask":
        """What `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Answer:
    """A check's end in one line; `passed` is None where only a card could say."""

    passed: bool | None
    line: str

    @property
    def outcome(self) -> Outcome:
        """As it is written down."""
        if self.passed is None:
            return Outcome.NOT_HERE
        return Outcome.PASSED if self.passed else Outcome.FAILED


@dataclass
class Figures:
    """A step's figures so far, on disk after each, so that a killed step leaves what it had."""

    path: Path
    seconds: float
    found: dict[str, Any] = field(default_factory=dict)
    begin: float = field(default_factory=time.monotonic)

    def __setitem__(self, name: str, value: Any) -> None:
        self.found[name] = value
        write_json(self.path, {"figures": self.found})

    def __getitem__(self, name: str) -> Any:
        return self.found[name]

    def add(self, name: str, value: Any) -> None:
        """Append to the list of this name."""
        self[name] = [*self.found.get(name, []), value]

    @property
    def left(self) -> float:
        """Seconds until the step's limit."""
        return self.begin + self.seconds - time.monotonic()

    def answered(self, answer: Answer) -> None:
        """Write the end."""
        write_json(
            self.path,
            {"outcome": answer.outcome, "line": answer.line, "figures": self.found},
        )


def write_json(path: Path, tree: Any) -> None:
    """Replace a JSON file whole: whoever reads it sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}.tmp")
    with work.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(tree, indent=1, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    move(work, path)  # on Windows a virus scanner may hold the old one


def fresh(root: Path, name: str) -> Path:
    """A run folder that no earlier try has left anything in."""
    for number in itertools.count(1):
        folder = root / f"{name}-{number}"
        if not folder.exists():
            return folder
    raise AssertionError
