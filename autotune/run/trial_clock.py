"""How long a trial trained and scored, by the times of its records; pauses do not count."""

from dataclasses import dataclass

from autotune.protocol import events
from autotune.protocol.events import RunEvent


@dataclass
class TrialClock:
    """The times of a trial, in seconds since the epoch, None for what is not over yet.

    Between two runs of the same folder, and while the computer slept, nobody worked: these pauses
    are kept apart for the part of the trial in which they came.
    """

    started: float
    trained: float | None = None
    ended: float | None = None
    paused_training: float = 0.0
    paused_scoring: float = 0.0

    def apply(self, event: RunEvent, time: float, before: float) -> None:
        """Take in an event of the unfinished trial; `before` is the time of the one before it."""
        match event:
            case events.RunStarted():
                self._pause(time - before)
            case events.Slept():
                self._pause(event.seconds)
            case events.Trained() | events.TrainingFailed() | events.TrainingPruned():
                self.trained = time
            case events.TrialEnded():
                self.ended = time
            case _:
                pass

    def _pause(self, seconds: float) -> None:
        if self.trained is None:
            self.paused_training += seconds
        else:
            self.paused_scoring += seconds

    def worked_seconds(self, now: float) -> float:
        """Seconds that it has taken until `now`, which is of the time before its end."""
        return max(0.0, now - self.started - self.paused_training - self.paused_scoring)

    @property
    def training_seconds(self) -> float | None:
        """Seconds from its first moment to its last step, with loading and saving."""
        if self.trained is None:
            return None
        return max(0.0, self.trained - self.started - self.paused_training)

    @property
    def scoring_seconds(self) -> float | None:
        """Seconds from its last step to its end: all that was answered, averaged and scored."""
        if self.trained is None or self.ended is None:
            return None
        return max(0.0, self.ended - self.trained - self.paused_scoring)
