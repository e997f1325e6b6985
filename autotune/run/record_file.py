"""The record of a run as a file: one `Record` a line, only ever appended to.

A process that is killed leaves its last line unfinished, which is cut off when the next one begins.
Any other line that is not a record is damage from outside: a disk, an editor, a power cut.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from autotune.base.errors import EnvironmentFault
from autotune.base.files import move, patiently, write_bytes_atomic
from autotune.base.format import counted, quoted
from autotune.protocol import events
from autotune.protocol.events import Record, RunEvent
from autotune.run.record_order import RecordOrder

TAIL_BYTES = 64 * 1024
"""How much is read at a time from the end. A step is 250 bytes; a fit with its trials, the longest
record, some tens of thousands."""

Stamp = tuple[int, int]
"""A file's size in bytes and when it was changed, in nanoseconds. A record is only ever appended
to, so one that has the stamp it had says what it said."""

_RECORD = TypeAdapter(Record)
"""Its validator is asked directly where there are hundreds of thousands of lines: it takes a tenth
less than `Record.model_validate_json`, and is what that asks."""

REMEDY = (
    "to keep what stands before it and resume, give the run's command again with --run-dir {} and"
    " --salvage (the file as it is stays beside it); or move the folder away and start a new run"
)

REMEDY_OF_SYNTH = "move this file away and give the same synth command again, --run-dir {}"


@dataclass(frozen=True, slots=True)
class Damage:
    """The first line that is no record, from 1, what is wrong with it, and how many stand before.

    `kept_bytes` is the length of the lines before it, and `trials` how many have begun in them.
    """

    line: int
    reason: str
    kept_bytes: int
    trials: int


class RecordFile:
    """`events.jsonl` of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def stamp(self) -> Stamp | None:
        """By what to tell whether the record has changed; None where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns

    def remove_partial_line(self) -> None:
        """Cut off a last record that a killed process left unfinished."""
        if not self.path.exists():
            return
        with self.path.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            whole = _last_newline(file.read, file.seek, end)
            if whole != end:
                file.truncate(whole)

    def append(self, event: RunEvent, at: float) -> Record:
        """Add one event to the record and flush it to disk.

        Raises:
            EnvironmentFault: the disk is full, or the file cannot be written.
        """
        record = Record(time=at, event=event)
        try:
            with patiently(lambda: self.path.open("a", encoding="utf-8", newline="\n")) as file:
                file.write(record.model_dump_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise EnvironmentFault(
                f"{self.path}: cannot be written ({error.strerror or error}); free disk space, then"
                " run the same command again to resume"
            ) from error
        return record

    def __iter__(self) -> Iterator[Record]:
        """All whole records, in order; a truncated last line is passed over.

        Raises:
            EnvironmentFault: a line is not a record, or cannot stand where it does.
        """
        try:
            yield from self._read()
        except _Damaged as found:
            damage = found.damage
            raise EnvironmentFault(
                f"{self.path}:{damage.line}: not a record ({damage.reason}); {self._remedy}"
            ) from None

    def of_kind(self, kind: str, *, after: int = 0) -> Iterator[Record]:
        """The records of one kind of event; other lines are not even looked into, damaged or not.

        For questions that are asked before a run is opened, and of the lines `after` a damaged one
        (its number, from 1).
        """
        mark = f'"kind":"{kind}"'.encode()
        for line in islice(self._lines(), after, None):
            if mark in line:
                with contextlib.suppress(ValidationError):
                    yield Record.model_validate_json(line)

    def without_steps(self) -> Iterator[Record]:
        """All records but optimizer steps, which are nearly all; damaged lines are passed over."""
        for line in self._lines():
            if b'"kind":"step"' not in line:
                with contextlib.suppress(ValidationError):
                    yield _RECORD.validator.validate_json(line)

    def last(self) -> Record | None:
        """The newest whole record, found from the end of the file; None where there is none.

        Raises:
            EnvironmentFault: the last whole line is not a record.
        """
        if not self.path.exists():
            return None
        with self.path.open("rb") as file:
            end = _last_newline(file.read, file.seek, file.seek(0, os.SEEK_END))
            if end == 0:
                return None
            begin = _last_newline(file.read, file.seek, end - 1)
            file.seek(begin)
            line = file.read(end - begin)
        try:
            return Record.model_validate_json(line)
        except ValidationError:
            raise EnvironmentFault(
                f"{self.path}: the last line is not a record ({_fault_of(line)}); {self._remedy}"
            ) from None

    @property
    def _remedy(self) -> str:
        alone = (self.path.parent / "practice" / "model").is_dir()  # a run's is in practice/run
        return (REMEDY_OF_SYNTH if alone else REMEDY).format(quoted(str(self.path.parent)))

    def find_damage(self) -> Damage | None:
        """The first line that is damaged, None where none is."""
        try:
            for _ in self._read():
                pass
        except _Damaged as found:
            return found.damage
        return None

    def before(self, damage: Damage) -> Iterator[Record]:
        """The records before a damaged line."""
        return islice(self._read(), damage.line - 1)

    def keep_before(self, damage: Damage, more: Sequence[Record] = ()) -> Path:
        """Keep what stands before a damaged line, and `more`, replacing the record in one step.

        Returns:
            What the file as it was is called now: `events.jsonl.damaged-1`, or the next number.

        Raises:
            EnvironmentFault: the disk is full, or the folder cannot be written.
        """
        aside = free_name(self.path.with_name(f"{self.path.name}.damaged"))
        try:
            work = aside.with_name(f".{aside.name}.tmp")
            shutil.copyfile(self.path, work)
            move(work, aside)
            with self.path.open("rb") as file:
                kept = file.read(damage.kept_bytes)
        except OSError as error:
            raise EnvironmentFault(
                f"{aside}: cannot be written ({error.strerror or error}); free disk space, then run"
                " the same command again"
            ) from error
        lines = "".join(f"{record.model_dump_json()}\n" for record in more)
        write_bytes_atomic(self.path, kept + lines.encode("utf-8"))
        return aside

    def _read(self) -> Iterator[Record]:
        """All whole records.

        Raises:
            _Damaged: at the first that is none.
        """
        order, read_bytes = RecordOrder(), 0
        parse = _RECORD.validator.validate_json
        for number, line in enumerate(self._lines(), start=1):
            try:
                record = parse(line)
            except ValidationError:
                reason = _fault_of(line)
                raise _Damaged(Damage(number, reason, read_bytes, order.trials)) from None
            if not isinstance(record.event, events.StepDone):
                impossible = order.fault_of(record.event)
                if impossible is not None:
                    raise _Damaged(Damage(number, impossible, read_bytes, order.trials))
            read_bytes += len(line)
            yield record

    def _lines(self) -> Iterator[bytes]:
        """The whole lines, one at a time: a record of 200 000 steps is 50 MB."""
        if not self.path.exists():
            return
        try:
            with self.path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line
        except OSError as error:
            raise EnvironmentFault(
                f"{self.path}: cannot be read ({error.strerror or error}); put the file back, or"
                " start a new run with another --run-dir"
            ) from error


def free_name(preferred: Path) -> Path:
    """`preferred` with `-1` behind it, or the first number whose name is free."""
    number = 1
    while (path := preferred.with_name(f"{preferred.name}-{number}")).exists():
        number += 1
    return path


class _Damaged(Exception):
    """Ends the reading of a record."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage)
        self.damage = damage


def _fault_of(line: bytes) -> str:
    """Why a line is no record."""
    if b"\0" in line:
        return "it holds NUL bytes, as a power cut leaves them"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8"
    try:
        Record.model_validate_json(line)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] == "json_invalid":
            return "it is not JSON"
        return f"it has {counted(error.error_count(), 'fault')} by this version"
    return "it is one now"


def _last_newline(read: Callable[[int], bytes], seek: Callable[[int], int], end: int) -> int:
    """The place behind the last newline before `end`, in bytes; 0 where there is none."""
    while end > 0:
        begin = max(0, end - TAIL_BYTES)
        seek(begin)
        at = read(end - begin).rfind(b"\n")
        if at >= 0:
            return begin + at + 1
        end = begin
    return 0
