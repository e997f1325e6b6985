"""The run folder: what lies where in it, its lock and its record.

runs/<time>_<model>/
  run.toml      what was asked, resolved        fit.json     the probe's answer
  events.jsonl  the record, appended            study.db     its trials, for Optuna
  prompts.jsonl the prompts that score          survey.json  round boundaries of the data
  probe/0001/   a trial of the probe            trials/0000/ a training run
  eval/         answers and scores              best/        the best checkpoint
  prompts-all.jsonl all prompts of the source   spot_check.jsonl prompts that decide nothing
  practice/     practice data that was made    mixed-*.jsonl  two data as one
  report.json, report.md, report.html, pictures/
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import psutil
from filelock import FileLock, Timeout
from pydantic import ValidationError

from autotune.base.errors import EnvironmentFault
from autotune.base.files import remove_tree, write_text_atomic
from autotune.base.leftovers import is_leftover, sweep_run
from autotune.protocol.events import Record, RunEvent, Surveyed
from autotune.protocol.results import Checkpoint, Fit
from autotune.protocol.run_path import from_folder
from autotune.run.record_file import RecordFile

_LOCK, _HOLDER = "run.lock", "lock.txt"
_OWN = {_LOCK, _HOLDER}

CLOCK_SLACK_SECONDS = 5.0
"""A process's start is known to a tick, and the clock of the files may be another one."""


EVALUATED = "model"
"""The name, among a folder's evaluations, of the only one that is there by itself."""

_IN_FULL, _SPOT_CHECK = "all-", "spot-check-"
_OF_CHECKPOINT = re.compile(rf"(?:{_IN_FULL}|{_SPOT_CHECK})?trial-(\d+)-([^.]+)")


class RunDir:
    """Paths, the lock and the record of one run. Use as a context manager to hold the lock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events = root / "events.jsonl"
        self.record = RecordFile(self.events)
        self.run_toml = root / "run.toml"
        self.fit = root / "fit.json"
        self.study_db = root / "study.db"
        self.survey = root / "survey.json"
        self.prompts = root / "prompts.jsonl"
        self.all_prompts = root / "prompts-all.jsonl"
        self.spot_check = root / "spot_check.jsonl"
        self.best = root / "best"
        self._holder = root / _HOLDER
        self._lock = FileLock(root / _LOCK)

    def __enter__(self) -> "RunDir":
        """Take the folder for this process.

        Raises:
            EnvironmentFault: another process has it (named), or it cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            write_text_atomic(self._holder, f"process {os.getpid()}, since {time.ctime()}\n")
            self.record.remove_partial_line()
            sweep_run(self.root)
        except Timeout:
            raise EnvironmentFault(
                f"{self.root}: in use by {self._named_holder()}; wait for it to end, stop it, or"
                " choose another --run-dir"
            ) from None
        except OSError as error:
            raise EnvironmentFault(
                f"{self.root}: cannot be written ({error.strerror or error}); choose another"
                " --run-dir"
            ) from error
        return self

    def forget(self) -> None:
        """Remove what a run wrote before its first record; other people's files stay."""
        mixed = self.root.glob(self.mixed_data("*").name)
        for path in (self.run_toml, self.prompts, self.spot_check, *mixed):
            path.unlink(missing_ok=True)
        prepare = self.work_folder("prepare")
        remove_tree(prepare)
        with contextlib.suppress(OSError):
            prepare.parent.rmdir()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the folder back; one that `forget` emptied goes, and an empty parent too."""
        with contextlib.suppress(OSError):  # held on Windows; it names nobody once the lock is free
            self._holder.unlink(missing_ok=True)
        self._lock.release()
        if not self.run_toml.exists():
            with contextlib.suppress(OSError):
                Path(self._lock.lock_file).unlink(missing_ok=True)
                self.root.rmdir()
                self.root.parent.rmdir()

    def own_survey(self, digest: str) -> Path:
        """Round boundaries of data that only some strategies train on."""
        return self.root / f"survey-{digest}.json"

    def mixed_data(self, digest: str) -> Path:
        """Conversations of a strategy's own data and of the run's, as one file."""
        return self.root / f"mixed-{digest}.jsonl"

    @property
    def is_unused(self) -> bool:
        """Whether the folder holds nothing, or only what a run leaves that was killed at once.

        One that cannot be looked into counts as such: to open it says why.
        """
        try:
            return all(path.name in _OWN or is_leftover(path) for path in self.root.iterdir())
        except OSError:
            return True

    @property
    def in_use(self) -> bool:
        """Whether another process holds the folder now."""
        if not self.root.is_dir():
            return False
        try:
            with self._lock.acquire(timeout=0):
                return False
        except Timeout:
            return True

    @property
    def is_worked_at(self) -> bool:
        """Whether a process of this computer works here, told without touching the lock.

        Who holds the folder has written its number down. A process that began after that was
        written only has the number of one that is gone.
        """
        try:
            words = self._holder.read_text(encoding="utf-8", errors="replace").split()
            written = self._holder.stat().st_mtime
            number = int(words[1].rstrip(","))
        except (OSError, IndexError, ValueError):
            return False
        try:
            return bool(psutil.Process(number).create_time() <= written + CLOCK_SLACK_SECONDS)
        except psutil.AccessDenied:
            return True
        except psutil.Error:
            return False

    def _named_holder(self) -> str:
        try:
            found = self._holder.read_text(encoding="utf-8", errors="replace").split("\n")[0]
            return found.strip()[:80] or "another process"
        except OSError:
            return "another process"

    def append(self, event: RunEvent, at: float) -> Record:
        """Add one event to the record and flush it to disk; see `RecordFile.append`.

        Paths in it that lie in the run are written from its folder, which may move.
        """
        if isinstance(event, Surveyed):
            event = event.model_copy(update={"path": from_folder(event.path, self.root)})
        return self.record.append(event, at)

    def records(self) -> Iterator[Record]:
        """All whole records, in order; see `RecordFile`."""
        return iter(self.record)

    def read_fit(self) -> Fit | None:
        """The probe's answer, if there is a readable one."""
        try:
            return Fit.model_validate_json(self.fit.read_bytes())
        except (OSError, ValidationError):
            return None

    def probe_folder(self, number: int) -> Path:
        """Job and log of the probe's trial, counted from 1."""
        return self.root / "probe" / f"{number:04d}"

    def trial_folder(self, number: int) -> Path:
        """Job, log and checkpoints of a training run, counted from 0."""
        return self.root / "trials" / f"{number:04d}"

    def checkpoints(self, number: int) -> Path:
        """The checkpoints of a training run."""
        return self.trial_folder(number) / "checkpoints"

    def checkpoint(self, number: int, checkpoint: Checkpoint) -> Path:
        """Where a checkpoint of trial `number` lies now: in this folder, wherever it was made."""
        return self.checkpoints(number) / checkpoint.name

    def eval_folder(self, name: str) -> Path:
        """Answers and scores of one model: `untrained`, or a trial and a step."""
        return self.root / "eval" / name

    def checkpoint_eval(self, number: int, checkpoint: Checkpoint) -> Path:
        """Answers and scores of a checkpoint of trial `number`."""
        return self.eval_folder(_model_name((number, checkpoint)))

    def full_eval(self, checkpoint: tuple[int, Checkpoint] | None) -> Path:
        """The same on all prompts of the source; None: of the untrained model."""
        return self.eval_folder(f"{_IN_FULL}{_model_name(checkpoint)}")

    def spot_check_eval(self, checkpoint: tuple[int, Checkpoint] | None) -> Path:
        """The same on the prompts that decide nothing; None: of the untrained model."""
        return self.eval_folder(f"{_SPOT_CHECK}{_model_name(checkpoint)}")

    def practice_folder(self, name: str) -> Path:
        """Practice data: the prompts, a model's answers to them, and the chats made of these."""
        return self.root / "practice" / name

    def work_folder(self, name: str) -> Path:
        """Job and log of a worker that is neither a trial nor an evaluation."""
        return self.root / "work" / name


def new_run_folder(parent: Path, model: str, now: float, *, make: bool = True) -> Path:
    """`parent/<local time>_<model>`, with only characters that every system allows in a name.

    Made at once, which decides between commands that begin in the same second: `-2` stands behind
    the name of the second. Where it cannot be made, to open it says why. Without `make` it is a
    name that is free now.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model.rsplit("/", 1)[-1]).strip("-.") or "model"
    # Windows drops a dot at the end of a name.
    first = folder = parent / f"{stamp}_{name[:40].rstrip('-.')}"
    number = 1
    while folder.exists() or (make and _is_taken(folder)):
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return folder


def _is_taken(folder: Path) -> bool:
    """Make a folder; whether another process has just done so."""
    try:
        folder.mkdir(parents=True)
    except OSError:
        return folder.exists()
    return False


def checkpoint_of(evaluation: str) -> tuple[int, str] | None:
    """The trial's number and the checkpoint's name, by the name of an evaluation's folder.

    None where it is of another model, and of a folder that was set aside.
    """
    found = _OF_CHECKPOINT.fullmatch(evaluation)
    return (int(found.group(1)), found.group(2)) if found else None


def _model_name(checkpoint: tuple[int, Checkpoint] | None) -> str:
    """The name of a model among a run's evaluations, by its trial's number and its checkpoint."""
    if checkpoint is None:
        return "untrained"
    number, at = checkpoint
    return f"trial-{number:04d}-{at.name}"
