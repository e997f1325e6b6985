"""How often the workers of one piece of work may die: the count falls back when the work gets on.

A fault of the work itself comes back at the same place: rows come in a seeded order, and answers
that are on disk are not made again. So a death counts against the work only while nothing was
gained since the one before; two deaths hours apart are two accidents.

Lack of memory is no death: it is answered with less at a time (`oom_recovery`), which ends by
itself, so training and scoring ask there first and count here what is left. Only the mean of
checkpoints, which has no smaller parts, counts it as any other failure.
"""

from dataclasses import dataclass

from autotune.base.errors import EnvironmentFault
from autotune.base.sizes import show_size
from autotune.launch import JobResult
from autotune.launch.worker_errors import with_remedy
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent

CRASHES = 2
"""Deaths at one place that end the work: the second says that the first was no accident."""

KILLS = 3
"""Kills from outside at one place that end the command. They say nothing about the work, so one
more is forgiven; but whoever kills three times in a row will go on."""

GAIN_SHARE = 0.05
"""Share of the work that counts as having got on. Steps since the last checkpoint are done again,
so a single one more is no gain; a twentieth is the distance of a training's scored checkpoints, and
bounds how often the count can fall back."""


@dataclass
class RetryLimit:
    """Deaths of the workers of one piece of work since it last got on. Shares are 0..1.

    `furthest` is how far any worker came, `reached` how far the work was when the count began, and
    `saved` the step of the newest checkpoint.
    """

    crashes: int = 0
    kills: int = 0
    furthest: float = 0.0
    reached: float = 0.0
    saved: int = 0
    gained: bool = False

    def on_event(self, event: WorkerEvent) -> None:
        """Take in what a worker of a training has done."""
        match event:
            case events.StepDone():
                self.advance(event.step / event.total_steps)
            case events.Resumed():
                self.saved = max(self.saved, event.step)
            case events.CheckpointSaved() if event.checkpoint.step > self.saved:
                self.saved, self.gained = event.checkpoint.step, True
            case _:
                pass

    def advance(self, share: float, *, kept: bool = False) -> None:
        """The work is done up to this share; what is `kept` on disk is a gain, however small."""
        self.gained = self.gained or (kept and share > self.furthest)
        self.furthest = max(self.furthest, share)

    def allows_retry(self, result: JobResult) -> bool:
        """Count a death; returns whether the work is worth another worker.

        Raises:
            EnvironmentFault: workers are killed from outside again and again.
        """
        if self.gained or self.furthest >= self.reached + GAIN_SHARE:
            self.crashes = self.kills = 0
            self.reached, self.gained = self.furthest, False
        if result.killed:
            self.kills += 1
            if self.kills >= KILLS:
                raise killed_too_often(result, self.kills)
            return True
        self.crashes += 1
        return self.crashes < CRASHES


def killed_too_often(result: JobResult, times: int) -> EnvironmentFault:
    """What a person reads whose workers are ended by something else on the computer."""
    spare = "" if result.free_bytes is None else f", {show_size(result.free_bytes)} of memory free"
    return EnvironmentFault(
        f"something on this computer ends the tool's workers: {times} in a row, the last one"
        f" {with_remedy(result.reason)}{spare}, so it was not for memory; find out what does (a job"
        " scheduler's limit, a watchdog, another person), then run the same command again to resume"
    )
