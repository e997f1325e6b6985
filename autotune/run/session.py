"""One run in progress: the folder, the runner, the screen and the state they agree on.

Every event goes through `Session.emit`: first to the record on disk, then into the state, then to
the screen. So what a person saw is what a resumed run knows.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from autotune.launch import JobResult, TrialRunner, WarmRunner
from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent, WorkerEvent
from autotune.protocol.job import Job
from autotune.run.folder import RunDir
from autotune.run.history import RunHistory, history_of
from autotune.run.revisit import Revisit
from autotune.run.state import StudyState

Clock = Callable[[], float]


class View(Protocol):
    """What a screen receives."""

    def on_record(self, record: Record) -> None:
        """Something happened."""
        ...


class Session:
    """The state of a run and the ways to change it."""

    def __init__(
        self,
        rundir: RunDir,
        runner: TrialRunner,
        clock: Clock = time.time,
        view: View | None = None,
        history: RunHistory | None = None,
    ) -> None:
        """`history` is what the record says, where it was read already."""
        self.rundir = rundir
        self.runner = runner
        self.clock = clock
        self.view = view
        self.history = history_of(rundir.records()) if history is None else history
        self.revisit = Revisit()

    @property
    def state(self) -> StudyState:
        """What the record says, with what was only shown."""
        return self.history.state

    def emit(self, event: RunEvent) -> None:
        """Record an event, fold it in and show it.

        Phases and counts of answers come many a second and mean nothing later: they are shown but
        not written. Nor is what a run that is over only says again, until something is new.
        """
        record = Record(time=self.clock(), event=event)
        shown_only = isinstance(event, events.Phase | events.Answered)
        if not shown_only and not self.revisit.holds(record, self.state):
            for held in self.revisit.release():
                self.history.enter(self.rundir.append(held.event, held.time))
            record = self.rundir.append(event, record.time)
            self.history.enter(record)
        self.state.apply(record)
        if self.view is not None:
            self.view.on_record(record)

    def work(
        self,
        job: Job,
        folder: Path,
        *,
        silence_seconds: float,
        on_event: Callable[[WorkerEvent], None] = lambda _: None,
        runner: WarmRunner | None = None,
    ) -> JobResult:
        """Have a worker do a job; its events are recorded, then handed to `on_event`.

        The session's own runner has it done unless another is given.

        `Measured` is only handed on: the caller makes a verdict of it and records that.
        """

        def emit_and_report(event: WorkerEvent) -> None:
            if not isinstance(event, events.Measured):
                self.emit(event)
            on_event(event)

        return (runner or self.runner).run(
            job, folder, emit_and_report, silence_seconds=silence_seconds
        )
