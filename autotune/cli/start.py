"""The first lines that run: Ctrl-C is answered from here on, also while the rest is still loading.

Loading takes a third of a second, on a slow disk several; an interrupt in it would end in the trace
of whatever module was on its way, or be swallowed by one.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable
from types import FrameType

EXIT_CODE = 130
"""`ExitCode.INTERRUPTED`, which is not loaded yet."""

INTERRUPTED = "interrupted; nothing is lost, the same command resumes from here"
"""What an interrupt says at any time; in ASCII, so that every terminal can show it."""

ENDINGS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""What asks a command to end: Ctrl-C, a service manager or `kill`, a terminal that is closed; on
Windows Ctrl-Break, a window that is closed and signing out, which are all one. Not every system has
each."""

ENDING_SECONDS = 5.0
"""How long a command has to end undisturbed once it is asked to: its worker is gone at once, and
the report takes one to three seconds. One cause often sends several signals (a closed terminal two
of SIGHUP, `timeout` one to us and one to our group), and they must not break off what the first one
began; who asks again after this time does not want to wait for it."""


def main() -> None:
    """The console script."""
    reserve_closed_descriptors()
    answered_signals = [
        number for number in termination_signals() if signal.getsignal(number) != signal.SIG_IGN
    ]
    for number in answered_signals:
        signal.signal(number, leave)
    from autotune.cli.main import run

    interruptible(answered_signals)
    sys.exit(run(sys.argv[1:]))


def termination_signals() -> list[int]:
    """The signals of `ENDINGS` that this system has. One that is ignored stays so: `nohup`, `&`."""
    return [getattr(signal, name) for name in ENDINGS if hasattr(signal, name)]


def reserve_closed_descriptors() -> None:
    """Open nothing in the place of standard streams that are closed, as `>&-` leaves them.

    Else the next file that is opened, such as the record of a run, would be the standard output.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def leave(number: int, frame: FrameType | None) -> None:
    """Say it and go, without the ways of a program that has something open: nothing is yet."""
    os.write(2, f"smolsft-autotune: {INTERRUPTED}\n".encode("ascii"))
    os._exit(EXIT_CODE)


class Interrupts:
    """Answers the signals that ask a command to end, as a `KeyboardInterrupt`."""

    def __init__(self) -> None:
        self.asked: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """End what is going on. While it ends, it is not interrupted for `ENDING_SECONDS`."""
        now = time.monotonic()
        if self.asked is not None and now - self.asked < ENDING_SECONDS:
            return
        self.asked = now
        raise KeyboardInterrupt


def interruptible(answered_signals: Iterable[int]) -> None:
    """From now on these signals are a `KeyboardInterrupt`, which ends workers and is recorded.

    Any of them would end the process on the spot otherwise, Ctrl-C apart.
    """
    interrupts = Interrupts()
    for number in answered_signals:
        signal.signal(number, interrupts)
