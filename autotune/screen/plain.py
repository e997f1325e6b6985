"""Plain lines for a log, a pipe or a terminal that cannot be redrawn: one a noteworthy record."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from autotune.base.format import counted, safe
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.state import StudyState
from autotune.screen.encodable import Encodable
from autotune.screen.job import current_job
from autotune.screen.time_left import Pace
from autotune.text.events import data_lines, describe

PROGRESS_SECONDS = 15.0
"""A log of three hours then has some 700 lines of progress, and a person never waits long."""


class PlainView:
    """Prints a sentence for each noteworthy record, and a progress line every 15 s at most."""

    def __init__(
        self, console: Console, clock: Callable[[], float], get_state: Callable[[], StudyState]
    ) -> None:
        """`clock` gives seconds of any epoch; only differences are used."""
        self._console = console
        self._clock = clock
        self._get_state = get_state
        self._pace = Pace()
        self._last_progress: float | None = None
        self._scored = ""

    def __enter__(self) -> Self:
        """Begin to print."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; nothing to put back."""

    def on_record(self, record: Record) -> None:
        """Print what is noteworthy about a record."""
        self._pace.on_record(record)
        state = self._get_state()
        sentence = describe(record, state)
        if sentence is not None:
            self._print(record.time, sentence)
            if isinstance(record.event, events.Surveyed):
                for line in data_lines([record.event]):
                    self._print(record.time, f"data: {line}")
            if isinstance(record.event, events.Fitted):
                for line in data_lines((), record.event.fit):
                    self._print(record.time, f"data: {line}")
        elif isinstance(record.event, events.StepDone | events.Answered):
            self._progress(record.time, state)
        else:
            self._scoring(record.time, state)

    def _scoring(self, when: float, state: StudyState) -> None:
        """Say once that prompts are asked now: the first answers may be minutes away."""
        job = current_job(state, self._pace, when)
        title = job.title if job is not None and job.title.startswith("scoring ") else ""
        if job is not None and job.total and title not in ("", self._scored):
            self._print(when, f"{title}: {counted(job.total, 'prompt')}")
        self._scored = title

    def _progress(self, when: float, state: StudyState) -> None:
        now = self._clock()
        if self._last_progress is not None and now - self._last_progress < PROGRESS_SECONDS:
            return
        job = current_job(state, self._pace, when)
        if job is not None:
            self._last_progress = now
            self._print(when, job.line)

    def _print(self, when: float, sentence: str) -> None:
        stamp = time.strftime("%H:%M:%S", time.localtime(when))
        # soft_wrap: a log line stays one line whatever the width of what reads it.
        self._console.print(Encodable(Text(f"{stamp} {safe(sentence)}")), soft_wrap=True)
