"""The first lines that run: Ctrl-C is answered from here on, also while the rest is still loading.

Loading takes a third of a second, on a slow disk several; an interrupt in it would end in the trace
of whatever module was on its way, or be swallowed by one.
"""

import os
import signal
import sys
from types import FrameType

EXIT_CODE = 130
"""`ExitCode.INTERRUPTED`, which is not loaded yet."""

INTERRUPTED = "interrupted; nothing is lost, the same command goes on from here"
"""What an interrupt says at any time; in ASCII, so that every terminal can show it."""


def main() -> None:
    """The console script."""
    answered = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN  # as a shell's `&` asks for
    if answered:
        signal.signal(signal.SIGINT, leave)
    from autotune.cli.main import run

    interruptible(answered)
    sys.exit(run(sys.argv[1:]))


def leave(number: int, frame: FrameType | None) -> None:
    """Say it and go, without the ways of a program that has something open: nothing is yet."""
    os.write(2, f"smolsft-autotune: {INTERRUPTED}\n".encode("ascii"))
    os._exit(EXIT_CODE)


def interruptible(answered: bool) -> None:
    """From now on an interrupt is a `KeyboardInterrupt`, which ends workers and is recorded.

    On Windows that holds for Ctrl-Break as well, and for closing the window or signing out, which
    Windows grants some seconds for; all three would end the process on the spot.
    """
    if answered:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    closing = getattr(signal, "SIGBREAK", None)
    if closing is not None:
        signal.signal(closing, signal.default_int_handler)
