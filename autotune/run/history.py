"""Everything that a run's record says, in one pass: the state, and the events that are no steps.

Optimizer steps are most of a record, up to a million; of them the state keeps a bounded number and
the chronicle a count.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.state import StudyState
from autotune.run.time_split import TimeSplit


@dataclass
class RunHistory:
    """A fold of records: `without_steps` are those without the steps, `kinds` counts all."""

    state: StudyState = field(default_factory=StudyState)
    without_steps: list[Record] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    first: float | None = None
    last: float | None = None
    time_split: TimeSplit = field(default_factory=TimeSplit)

    def apply(self, record: Record) -> None:
        """Fold one record in."""
        self.state.apply(record)
        self.enter(record)

    def enter(self, record: Record) -> None:
        """Count one that the state holds already."""
        event = record.event
        self.kinds[event.kind] += 1
        if self.first is None:
            self.first = record.time
        if isinstance(event, events.StepDone):  # nearly all, so nothing else is asked of them
            self.last = record.time
            return
        if not self.state.is_beside_the_run(event):
            self.time_split.apply(event, record.time, self.last)
            self.last = record.time
        self.without_steps.append(record)


def history_of(records: Iterable[Record]) -> RunHistory:
    """What these records say, in order."""
    found = RunHistory()
    apply = found.apply
    for record in records:
        apply(record)
    return found
