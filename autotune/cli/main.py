"""Run one command, turn errors into one line and an exit code."""

import errno
import os
import sys
import tempfile
import traceback

import typer
from typer.exceptions import TyperException

from autotune.errors import AutotuneError, ExitCode
from autotune.figures import safe

NO_COMMIT = 1455
"""Windows' ERROR_COMMITMENT_LIMIT: memory and paging file together are promised away."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; nothing escapes but `SystemExit`."""
    from autotune.cli.app import app

    try:
        result = app(arguments, standalone_mode=False)
        return int(result or 0)
    except typer.Exit as error:
        return error.exit_code
    except TyperException as error:
        complain(f"{error.format_message()} See smolsft-autotune --help.")
        return ExitCode.BAD_INPUT
    except AutotuneError as error:
        complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted; nothing is lost, the same command goes on from here")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); there is nobody to complain to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception as error:
        if lacks_memory(error):
            complain(
                "this computer's memory is used up; close other programs, on Windows let the system"
                " choose the size of the paging file, then run the same command again"
            )
            return ExitCode.ENVIRONMENT
        with tempfile.NamedTemporaryFile(
            "w", prefix="smolsft-autotune-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            traceback.print_exc(file=log)
        complain(
            f"internal error: {type(error).__name__}: {error}; this is a fault of the tool, its"
            f" trace is in {log.name}"
        )
        return ExitCode.INTERNAL


def lacks_memory(error: BaseException) -> bool:
    """Whether it is the computer's memory that is short, of this process or of one it starts."""
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError)
        and (error.errno == errno.ENOMEM or getattr(error, "winerror", None) == NO_COMMIT)
    )


def complain(text: str) -> None:
    """Print an error as plain text, whatever characters the terminal can show."""
    encoding = sys.stderr.encoding or "utf-8"
    harmless = "\n".join(safe(line) for line in f"smolsft-autotune: {text}".splitlines())
    shown = harmless.encode(encoding, "backslashreplace").decode(encoding)
    sys.stderr.write(shown + "\n")
