"""What can stand where in a record: a trial begins before anything is said of it.

So the loss of a line shows in others that are whole.
"""

from autotune.protocol import events
from autotune.protocol.events import RunEvent


class RecordOrder:
    """What cannot stand where it does: a part of the file that stands twice, or that is missing."""

    def __init__(self) -> None:
        self.trials = 0  # that have begun

    def fault_of(self, event: RunEvent) -> str | None:
        """What is wrong with the place of an event, if anything."""
        if isinstance(event, events.TrialStarted):
            if event.number != self.trials:
                return (
                    f"it begins trial {event.number}, and {self.trials} have begun before it: a"
                    " part of the file stands twice or is missing"
                )
            self.trials += 1
            return None
        number = getattr(event, "number", None)
        if isinstance(number, int) and number >= self.trials:
            return f"it is of trial {number}, which has not begun: a part of the file is missing"
        return None
