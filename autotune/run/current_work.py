"""What is worked at right now as a fold of the records: since when, by which worker, how far.

It is reset whenever a piece of work is over, so that what is shown is never of the one before.
"""

from dataclasses import dataclass

from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent

PHASES_OVER = (
    events.ProbeTried
    | events.Surveyed
    | events.Fitted
    | events.CheckpointSaved
    | events.Trained
    | events.TrainingFailed
    | events.TrainingPruned
    | events.HeldOutLoss
    | events.BaselineScored
    | events.SpotChecked
    | events.PracticeMade
    | events.Evaluated
    | events.BestInFull
    | events.BaselineInFull
)
"""What a worker's work leads to: the phase that it was in is not that of what comes next."""

WORK_OVER = (
    events.RunStarted
    | events.RunEnded
    | events.Surveyed
    | events.ProbeTrialStarted
    | events.ProbeTried
    | events.ProbeEnded
    | events.Fitted
    | events.BaselineScored
    | events.SpotChecked
    | events.BestInFull
    | events.BaselineInFull
    | events.PracticeStarted
    | events.PracticeMade
    | events.TrialStarted
    | events.Trained
    | events.TrainingFailed
    | events.TrainingPruned
    | events.Evaluated
    | events.CheckpointDamaged
    | events.BestLost
    | events.TrialEnded
    | events.Failed
)
"""Where one piece of work ends or the next one begins: whoever works next has not reported yet."""


@dataclass
class CurrentWork:
    """The piece of work in progress; times are seconds since the epoch.

    `began` is when the one before was over, `worker` who works at it once it is ready, `moved` when
    the last optimizer step was reported. `answered` is how far it has come where it answers
    prompts, `heard` when that or the worker's readiness was reported, `probe_trial` what the probe
    tries.
    """

    began: float | None = None
    worker: events.Ready | None = None
    moved: float | None = None
    phase: str = ""
    answered: events.Answered | None = None
    heard: float | None = None
    probe_trial: events.ProbeTrialStarted | None = None

    def apply(self, record: Record) -> None:
        """Take in one record that is no optimizer step."""
        event = record.event
        if isinstance(event, PHASES_OVER):
            self.phase = ""
        if is_work_over(event):
            self.began, self.moved, self.phase = record.time, None, ""
            self.worker = self.answered = self.heard = self.probe_trial = None
        match event:
            case events.Ready():
                self.worker, self.heard = event, record.time
            case events.Phase():
                self.phase = event.name
            case events.Answered():
                self.answered, self.heard = event, record.time
            case events.ProbeTrialStarted():
                self.probe_trial = event
            case _:
                pass


def is_work_over(event: RunEvent) -> bool:
    """Whether another worker than before works at what comes after this event."""
    if isinstance(event, events.CheckpointSaved):
        return event.checkpoint.averaged > 0
    if isinstance(event, events.MicroBatchResized):
        return not event.same_process
    return isinstance(event, WORK_OVER)
