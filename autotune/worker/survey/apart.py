"""The conversations of a survey, from this process or, of a large file, from one beside it.

Reading records and making rows of them are Python's work in about equal parts, and one process of
Python's does that on one core.
"""

import json
import pickle
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from autotune.base.interpreter import PYTHON
from autotune.data.conversation import Conversation
from autotune.data.reading import Adapted
from autotune.protocol.exit_codes import exit_text, failure_of
from autotune.protocol.failure import Failure
from autotune.protocol.plan import DataSpec
from autotune.worker.faults import JobFault
from autotune.worker.survey.reader import ReadRequest, unpacked

APART_BYTES = 8 * 2**20
"""From this size on a file is read beside: that takes seconds, and starting a process half a
second."""


END_SECONDS = 60.0
"""What a process that closed its output may take to be gone; a large one gives back its memory."""


class ReaderDied(JobFault):
    """The process that reads the file ended before it said that it was done."""

    def __init__(self, code: int) -> None:
        super().__init__(exit_text(code, "the process that reads the file"))
        killed = failure_of(code) is Failure.HOST_MEMORY
        self.failure = Failure.HOST_MEMORY if killed else Failure.OTHER


class Stream(Protocol):
    """Conversations with their row numbers, and what was counted once all have been given out."""

    spec: DataSpec
    adapted: Adapted

    def __iter__(self) -> Iterator[tuple[int, Conversation]]:
        """Those that are used, in the order of the file.

        Raises:
            BadInput: the file cannot be read as chat data, or keeps no conversation at all.
        """
        ...


@contextmanager
def conversations_of(
    spec: DataSpec, prompts: Path | None
) -> Iterator[Callable[[str | None], Stream]]:
    """What gives the conversations once it is known why no tools are read (None where they are).

    A large file is begun before that. `prompts` are looked for in them.
    """
    request = ReadRequest(data=spec, prompts=None if prompts is None else str(prompts))
    if _bytes_of(Path(spec.path)) < APART_BYTES:
        yield request.stream
        return
    apart = _Apart(request)
    try:
        yield apart.begun
    finally:
        apart.end()


def _bytes_of(path: Path) -> int:
    """0 of one that is not there, which is said where it is read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


class _Apart:
    """Conversations that a process of their own reads."""

    def __init__(self, request: ReadRequest) -> None:
        self.spec = request.data
        self.adapted: Adapted
        self._process = subprocess.Popen(
            [*PYTHON, "-m", "autotune.worker.survey.reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._say(request.model_dump_json())

    def begun(self, no_tools: str | None) -> Stream:
        self._say(json.dumps(no_tools))
        return self

    def __iter__(self) -> Iterator[tuple[int, Conversation]]:
        """See `Stream`.

        Raises:
            ReaderDied: the process is gone.
        """
        assert self._process.stdout is not None
        while True:
            try:
                found = pickle.load(self._process.stdout)
            except (EOFError, pickle.UnpicklingError) as error:  # nothing more, or half a value
                raise ReaderDied(self._process.wait(END_SECONDS)) from error
            if isinstance(found, Exception):
                raise found
            if isinstance(found, Adapted):
                self.adapted = found
                return
            yield from map(unpacked, found)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()

    def _say(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError):  # it is gone, which is noticed where it is read from
            stdin.write(f"{line}\n".encode())
            stdin.flush()
