"""Standard output and error, whatever becomes of who reads them.

A reader that goes (`| head -1`, a terminal that is closed) ends what is shown and nothing else: the
command continues and its exit code is what it would have been. A disk that is full is another
matter: what was asked for cannot be given, and the command ends and says so.
"""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from autotune.base.errors import EnvironmentFault

GONE = {
    errno.EPIPE,
    errno.EBADF,
    errno.ENXIO,
    errno.ECONNRESET,
    getattr(errno, "ESHUTDOWN", errno.EPIPE),
}
"""What a write gives where nobody reads any more."""


class GuardedStream:
    """One standard stream. All that is not here is the stream's own."""

    def __init__(self, stream: TextIO | None, name: str) -> None:
        """`stream` is None where it was closed from the start, which is a reader that has gone."""
        self._stream = stream or io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        self._name = name
        self._gone = stream is None
        self._terminal = self._stream.isatty()
        self.fault: EnvironmentFault | None = None

    def __getattr__(self, name: str) -> Any:
        """Whatever else is asked of a stream; a closed one answers as a file in UTF-8."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or nothing where nobody reads.

        Raises:
            EnvironmentFault: the disk is full, or failing.
        """
        self._do(lambda stream: stream.write(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """As `write`, line by line."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """As `write`: what was buffered fails only here."""
        self._do(lambda stream: stream.flush())

    def _do(self, act: Callable[[TextIO], object]) -> None:
        if self._gone:
            return
        try:
            act(self._stream)
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """Write nothing from now on: what is buffered would fail again when the program ends."""
        self._gone = True
        with suppress(OSError, ValueError):
            number = self._stream.fileno()
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, number)
            os.close(nothing)
        # Windows answers a pipe without a reader with EINVAL, and a terminal that is gone is EIO.
        if error.errno in GONE or (error.errno == errno.EINVAL and sys.platform == "win32"):
            return
        if error.errno == errno.EIO and self._terminal:
            return
        self.fault = EnvironmentFault(
            f"{self._name} cannot be written ({error.strerror or error}); free disk space or write"
            " it elsewhere, then run the same command again"
        )
        raise self.fault


@contextmanager
def guarded_output() -> Iterator[None]:
    """Standard output as an outlet meanwhile.

    Raises:
        EnvironmentFault: standard output could not be written to its end.
    """
    before = sys.stdout
    output = GuardedStream(before, "standard output")
    sys.stdout = cast(TextIO, output)
    try:
        yield
        output.flush()
        if output.fault is not None:  # somebody went on all the same
            raise output.fault
    finally:
        with suppress(EnvironmentFault):
            output.flush()
        sys.stdout = before
