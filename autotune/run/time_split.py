"""Where the time of a run went, by what was being done; pauses are kept apart."""

from dataclasses import dataclass, field

from autotune.protocol import events
from autotune.protocol.events import RunEvent

PROBING = "finding what fits"
BASELINES = "scoring the untrained model"
TRAINING = "training"
SCORING = "scoring checkpoints"
PRACTICE = "making practice data"
IN_FULL = "scoring on all prompts"
PAUSED = "paused"

KINDS = (PROBING, PRACTICE, BASELINES, TRAINING, SCORING, IN_FULL, PAUSED)
"""In the order in which they come."""


@dataclass
class TimeSplit:
    """Seconds by kind. `doing` is what the time since `seen` (seconds since the epoch) goes to.

    The time between two records goes to what was under way: preparations to what they are for, and
    averaging to scoring. Between two runs of the same folder, and while the computer slept, nobody
    worked.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    doing: str = PROBING
    seen: float | None = None
    begun: bool = False
    over: bool = False

    def apply(self, event: RunEvent, time: float, before: float | None) -> None:
        """Take in an event that is no optimizer step; `before` is the time of the one before it."""
        if isinstance(event, events.RunStarted) and self.begun:
            if self.seen is not None and before is not None:
                self._spend(self.doing, 0.0 if self.over else before - self.seen)
                self._spend(PAUSED, time - (self.seen if self.over else before))
            self.over, self.seen = False, time
            return
        if self.over:
            return
        if self.seen is not None:
            slept = event.seconds if isinstance(event, events.Slept) else 0.0
            self._spend(self.doing, time - self.seen - slept)
            self._spend(PAUSED, slept)
        self.seen = time
        self.begun = self.begun or isinstance(event, events.RunStarted)
        self.over = isinstance(event, events.RunEnded)
        self.doing = self._next(event)

    def _next(self, event: RunEvent) -> str:
        """What comes after an event."""
        match event:
            case events.PracticeStarted():
                return PRACTICE
            case events.PracticeMade():
                return PROBING
            case events.Fitted():
                return BASELINES
            case events.TrialStarted():
                return TRAINING
            case events.Trained() | events.TrainingFailed() | events.TrainingPruned():
                return SCORING
            case events.Notice(about="in_full"):
                return IN_FULL
            case _:
                return self.doing

    def until(self, last: float) -> dict[str, float]:
        """The seconds of each kind that took any, up to a time."""
        found = dict(self.seconds)
        if self.seen is not None and not self.over and last > self.seen:
            found[self.doing] = found.get(self.doing, 0.0) + last - self.seen
        return {kind: found[kind] for kind in KINDS if found.get(kind, 0.0) > 0}

    def _spend(self, kind: str, seconds: float) -> None:
        self.seconds[kind] = self.seconds.get(kind, 0.0) + max(0.0, seconds)
