"""Run one command, turn errors into one line and an exit code."""

import errno
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO, cast

import typer
from typer.exceptions import TyperException

from autotune.base.errors import AutotuneError, EnvironmentFault, ExitCode, Interruption
from autotune.base.format import safe
from autotune.cli.command_line import remember_command
from autotune.cli.start import INTERRUPTED
from autotune.cli.streams import GuardedStream, guarded_output
from autotune.cli.usage import PROGRAM, command_again, usage_line
from autotune.sources.cache import cache_folder

DISK_ERRORS = {
    errno.EIO: "look after the disk",
    errno.ENOSPC: "free disk space",
    errno.EDQUOT: "free disk space",
    errno.EROFS: "free disk space",
    errno.EACCES: "see to its permissions",
    errno.EPERM: "see to its permissions",
}
"""What to do about a disk that fails, is full, is full for this user, or was made read-only, as
Linux does when it finds a file system damaged, and about a file, or a folder above it, that is
another user's."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; nothing escapes but `SystemExit`."""
    remember_command(arguments)
    before = sys.stderr
    sys.stderr = cast(TextIO, GuardedStream(before, "standard error"))
    try:
        return _run(arguments)
    finally:
        sys.stderr = before


def _run(arguments: list[str]) -> int:
    from autotune.cli.app import app

    try:
        with guarded_output():
            code = int(app(arguments, prog_name=PROGRAM, standalone_mode=False) or 0)
        if code == ExitCode.INTERRUPTED:  # typer's own answer to Ctrl-C, which says nothing
            complain(INTERRUPTED)
            return interrupt_exit_code()
        return code
    except typer.Exit as error:
        return error.exit_code
    except TyperException as error:
        complain(usage_line(error, arguments))
        return ExitCode.BAD_INPUT
    except Interruption as error:
        complain(f"interrupted; {error}: {command_again(arguments, error.folder)}")
        return interrupt_exit_code()
    except AutotuneError as error:
        complain("\n".join([str(error), *getattr(error, "__notes__", ())[:1]]))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        complain(INTERRUPTED)
        return interrupt_exit_code()
    except Exception as error:
        from autotune.base.error_texts import COMPUTER_FULL, lacks_memory

        if lacks_memory(error):
            complain(f"{COMPUTER_FULL}; then run the same command again")
            return ExitCode.ENVIRONMENT
        failing = of_the_disk(error)
        if failing is not None:
            complain(failing)
            return ExitCode.ENVIRONMENT
        log = keep_trace(error)
        if log is None:
            traceback.print_exception(error)
        where = f"its trace is in {log}" if log else "its trace stands above"
        complain(
            f"internal error: {type(error).__name__}: {error}; this is a bug in the tool, {where}"
        )
        return ExitCode.INTERNAL


def interrupt_exit_code() -> ExitCode:
    """The exit code of an interrupt that was answered.

    Python notes an interrupt of code that it compiles from a text, as libraries do while they load,
    and ends by the signal though somebody answered it. Compiling again takes the note back.
    """
    exec("")
    return ExitCode.INTERRUPTED


def of_the_disk(error: BaseException) -> str | None:
    """One line where a disk is full or fails, or one may not enter, where nobody expected it.

    None for another error. A file that was there a moment ago can always be unreadable, and a path
    that somebody typed lie in a folder that is not theirs: that is no fault of the tool.
    """
    if not isinstance(error, OSError) or error.errno not in DISK_ERRORS:
        return None
    where = error.filename2 or error.filename
    if where is None and isinstance(error, PermissionError):
        return None  # of a process or a socket
    where = where or "a file"
    return (
        f"{where}: cannot be read or written ({error.strerror}); {DISK_ERRORS[error.errno]}, then"
        " run the same command again"
    )


def complain(text: str) -> None:
    """Print an error as plain text, whatever characters the terminal can show."""
    encoding = sys.stderr.encoding or "utf-8"
    harmless = "\n".join(safe(line) for line in f"smolsft-autotune: {text}".splitlines())
    shown = harmless.encode(encoding, "backslashreplace").decode(encoding)
    if sys.stderr.isatty():
        shown = "\n".join(_between_words(shown))
    with suppress(EnvironmentFault):  # nowhere to say it; the exit code says what it can
        sys.stderr.write(shown + "\n")
        sys.stderr.flush()


def _between_words(text: str) -> Iterator[str]:
    """The text in lines that are broken between words, at the terminal's width."""
    from rich.console import Console

    from autotune.cli.word_wrap import wrapped

    columns = Console(stderr=True).width
    for line in text.splitlines():
        yield from wrapped(line, columns)


KEPT_TRACES = 10
"""More are of no use: a fault of the tool comes again."""


def keep_trace(error: BaseException) -> Path | None:
    """Write the trace of an error down; None where the cache folder cannot be written."""
    folder = cache_folder() / "faults"
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        for old in sorted(folder.glob("*.log"))[:-KEPT_TRACES]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return path
