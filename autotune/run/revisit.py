"""A run that is over and whose command is given again: only what is new goes on record.

Such a run resumes, finds what fits as it was, and ends as it did. On record that would say that
work was done when somebody only looked, and the time from the first to the last record would grow.
"""

from dataclasses import dataclass, field

from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.run.state import StudyState

NOT_COMPARED = {"resumed": True, "budget_bytes": 0, "command": "", "machine": {}, "seeds": {}}
"""What may differ in the start of a run that is the same: the rest of free memory is a budget, the
words of the command may be others, and so may be where somebody looks from."""


@dataclass
class Revisit:
    """Keeps back what the record of a run that is over says already, until something is new.

    `before` is the end that a run had, None in one that goes on with its work.
    """

    held: list[Record] = field(default_factory=list)
    before: events.RunEnded | None = None

    def holds(self, record: Record, state: StudyState) -> bool:
        """Whether a record is kept back; `state` is that before it."""
        event = record.event
        if not self.held:
            if not (isinstance(event, events.RunStarted) and is_same_run(event, state)):
                return False
            self.before = state.ended
        elif not self.repeats(event, state):
            return False
        self.held.append(record)
        return True

    def repeats(self, event: RunEvent, state: StudyState) -> bool:
        """Whether an event says what is on record already."""
        match event:
            case events.Fitted():
                return event.fit == state.fit
            case events.StudyTotal():
                return event == state.total
            case events.RunEnded():
                return event == self.before
            case events.Notice(about="interrupted"):
                return True  # nothing was under way
            case _:
                return False

    def release(self) -> list[Record]:
        """What was kept back; from here on all goes on record."""
        found, self.held = self.held, []
        return found


def is_same_run(event: events.RunStarted, state: StudyState) -> bool:
    """Whether a start is that of a run, or a probe, that is over and has the same settings."""
    if state.run is None:
        return False
    only_probed = not state.run.target and state.fit is not None
    if state.ended is None and not only_probed:
        return False
    same = (event.model_copy(update=NOT_COMPARED), state.run.model_copy(update=NOT_COMPARED))
    return same[0] == same[1]
