"""Errors a user can act on, each with the exit code of the command line.

Exit codes: 0 done or target met, 1 finished below target, 2 usage or bad input, 3 nothing fits,
4 environment (disk, driver, lock, permissions), 5 internal, 130 interrupted.
"""

from enum import IntEnum


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

    The text says what, the value, the rule and the remedy; `cli` prints it without a traceback.
    """

    exit_code = ExitCode.INTERNAL


class BadInput(AutotuneError):
    """A flag, a profile, a data file or a model folder that cannot be used as it is."""

    exit_code = ExitCode.BAD_INPUT


class NothingFits(AutotuneError):
    """Not even the smallest point of the search fits the memory budget."""

    exit_code = ExitCode.NOTHING_FITS


class EnvironmentFault(AutotuneError):
    """The machine is in the way: disk, driver, lock, permission, network."""

    exit_code = ExitCode.ENVIRONMENT
