"""The JSON that all steps write into, and which of them are still to be asked."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.card_checks.asked import DONE, Outcome, write_json
from benchmarks.card_checks.steps import Step

VERSION = 1
"""Of the file's shape."""


class Record:
    """One card's answers so far. Each step's are written as soon as it ends."""

    def __init__(self, path: Path, *, rehearsal: bool) -> None:
        """Read what an earlier call left.

        Raises:
            ValueError: the file is not such a record, or a rehearsal's where a card is asked, or a
                card's in a rehearsal: either would pass for an answer to the other.
        """
        self.path = path
        self.tree: dict[str, Any] = {"card": VERSION, "steps": {}}
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict) or found.get("card") != VERSION:
                raise ValueError(f"{path}: is no record of this command; name another with --out")
            if found.get("rehearsal", rehearsal) != rehearsal:
                whose = "a card's" if rehearsal else "a rehearsal's"
                raise ValueError(f"{path}: holds {whose} answers; name another with --out")
            self.tree = found

    def describe(self, **facts: Any) -> None:
        """Note facts of the whole."""
        self.tree |= facts
        self.save()

    def keep(self, step: Step, tree: dict[str, Any], seconds: float, limit: float) -> None:
        """Note how a step ended."""
        self.tree["steps"][step.name] = {
            "part": step.part,
            "question": step.question,
            **tree,
            "seconds": round(seconds, 1),
            "limit_seconds": round(limit, 1),
            "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        self.save()

    def outcome(self, step: Step) -> Outcome | None:
        """How it ended in an earlier call or in this one."""
        found = self.tree["steps"].get(step.name)
        return None if found is None else Outcome(found["outcome"])

    def open_steps(self, steps: Sequence[Step], *, again: bool) -> list[Step]:
        """Steps to ask now: first those never asked, then those that came to no answer."""
        if again:
            return list(steps)
        fresh = [step for step in steps if self.outcome(step) is None]
        broken = [s for s in steps if (found := self.outcome(s)) and found not in DONE]
        return [*fresh, *broken]

    def count(self, steps: Sequence[Step]) -> dict[str, int]:
        """How many of these steps ended how."""
        ends = [str(self.outcome(step) or "not asked") for step in steps]
        return {end: ends.count(end) for end in dict.fromkeys(ends)}

    def save(self) -> None:
        """Write it whole."""
        write_json(self.path, self.tree)
