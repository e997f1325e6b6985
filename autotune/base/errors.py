"""Errors a user can act on, each with the exit code of the command line.

Exit codes: 0 done or target met, 1 finished below target, 2 usage or bad input, 3 nothing fits,
4 environment (disk, driver, lock, permissions), 5 internal, 130 interrupted.
"""

from enum import IntEnum
from pathlib import Path

LAST_BYTES = 4096
"""How much of a log's end is looked at for its last line."""

LAST_CHARACTERS = 200
"""How much of that line is quoted."""


class ExitCode(IntEnum):
    """What the process tells the shell."""

    DONE = 0
    BELOW_TARGET = 1
    BAD_INPUT = 2
    NOTHING_FITS = 3
    ENVIRONMENT = 4
    INTERNAL = 5
    INTERRUPTED = 130


class AutotuneError(Exception):
    """An expected failure: its text is the one line that the user reads.

    The text says what, the value, the rule and the remedy; `cli` prints it without a traceback. A
    `log` is named at its end: the output of the worker that failed.
    """

    exit_code = ExitCode.INTERNAL

    def __init__(self, text: str, *, log: Path | None = None) -> None:
        super().__init__(text)
        self.log = log
        self.last_words = ""

    def __str__(self) -> str:
        text = super().__str__()
        if self.last_words:
            return f"{text}; the worker's last words: {self.last_words}"
        return f"{text}; the worker's output is in {self.log}" if self.log else text

    def add(self, more: str) -> None:
        """Say one thing more."""
        self.args = (f"{super().__str__()}; {more}",)

    def quote_log(self, folder: Path) -> None:
        """Quote the end of a log that goes with its folder, instead of naming it."""
        if self.log is None or folder not in self.log.parents:
            return
        self.last_words, self.log = last_line(self.log), None


class BadInput(AutotuneError):
    """A flag, a profile, a data file or a model folder that cannot be used as it is."""

    exit_code = ExitCode.BAD_INPUT


class NothingFits(AutotuneError):
    """Not even the smallest point of the search fits the memory budget."""

    exit_code = ExitCode.NOTHING_FITS


class EnvironmentFault(AutotuneError):
    """The machine is in the way: disk, driver, lock, permission, network."""

    exit_code = ExitCode.ENVIRONMENT


class Interruption(AutotuneError):
    """A person stopped a command: what it leaves and where, as `text`.

    `folder` is where the same command continues, None where it starts again.
    """

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, text: str, folder: Path | None = None) -> None:
        super().__init__(text)
        self.folder = folder


def last_line(path: Path) -> str:
    """The last line of a log that is not blank, cut to what fits a sentence; "" without one."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LAST_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:LAST_CHARACTERS] if said else ""
