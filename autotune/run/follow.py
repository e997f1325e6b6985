"""A run as another process sees it: its record is folded in as it grows, and nothing is written.

How many prompts are answered is not on record; the lines of the file that the answers go to are
counted instead.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.answers_of_now import answers_of_now
from autotune.run.current_work import is_work_over
from autotune.run.folder import RunDir
from autotune.run.record_order import RecordOrder
from autotune.run.state import StudyState
from autotune.score.answers import count_answers
from autotune.score.early_verdicts import decided_file
from autotune.score.jsonl import Tail

_RECORD = TypeAdapter(Record)


class FollowedRun:
    """The state of a run that somebody else works at, or nobody any more.

    `passed_over` counts lines that are no records, of a damaged file or of a later version, and
    those of trials whose beginning was such a line.
    """

    def __init__(self, rundir: RunDir, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch, as records do."""
        self.rundir = rundir
        self.state = StudyState()
        self.passed_over = 0
        self._clock = clock
        self._tail, self._order = Tail(rundir.events), RecordOrder()
        self._counted: dict[Path, tuple[int, int]] = {}
        self._starts = 0
        self._ready: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether a process of this computer works at it."""
        return self.rundir.is_worked_at

    def poll(self) -> Iterator[Record]:
        """What is new since the last call, each folded into the state before it is handed out.

        A record that is shorter than before was cut to what stood before some damage: it is read
        from its beginning again.
        """
        stamp = self.rundir.record.stamp
        if stamp is not None and stamp[0] < self._tail.offset:
            self.state, self._tail, self._starts = StudyState(), Tail(self.rundir.events), 0
            self._order = RecordOrder()
        for line in self._tail.lines():
            try:
                record = _RECORD.validator.validate_json(line)
            except ValidationError:
                self.passed_over += 1
                continue
            if self._order.fault_of(record.event) is not None:
                self.passed_over += 1
                continue
            self.state.apply(record)
            self._note(record)
            yield record
        answered = self._answered()
        if answered is not None:
            self.state.apply(answered)
            yield answered

    def _note(self, record: Record) -> None:
        """Since when the prompts of now are answered: the first worker's readiness."""
        self._starts += isinstance(record.event, events.RunStarted)
        if is_work_over(record.event):
            self._ready = None
        elif isinstance(record.event, events.Ready) and self._ready is None:
            self._ready = record.time

    def _answered(self) -> Record | None:
        """How many prompts are answered now, where that is another number than was known."""
        now = answers_of_now(self.state, self.rundir)
        if now is None or self.state.work.worker is None:
            return None
        total = now.total if isinstance(now.total, int) else self._count(now.total)
        known, done = self.state.answered, self._count(now.place)
        if not now.finished:
            done += self._count(decided_file(now.place))
        done = min(done, total)
        if done == (known.done if known is not None else 0):
            return None
        seconds = max(0.0, self._clock() - self._ready) if self._ready is not None else 0.0
        # A run that was resumed may have answers of before, and so has what is taken to its end.
        fresh = self._starts == 1 and not now.finished
        event = events.Answered(
            done=done, total=total, new_tokens=0, seconds=seconds, before=0 if fresh else None
        )
        return Record(time=self._clock(), event=event)

    def _count(self, place: Path) -> int:
        """The lines of a file, which is read again only when it has grown."""
        try:
            size = place.stat().st_size
        except OSError:
            return 0
        known = self._counted.get(place)
        if known is None or known[0] != size:
            known = self._counted[place] = (size, count_answers(place))
        return known[1]
