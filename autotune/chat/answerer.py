"""Has a worker answer, turn after turn; the person may end an answer without ending the worker."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autotune.launch import JobResult, SubprocessRunner
from autotune.launch.process import WorkerProcess
from autotune.launch.worker_errors import worker_error
from autotune.protocol import events
from autotune.protocol.device_spec import DeviceSpec
from autotune.protocol.export_jobs import ChatJob, Turn

SILENCE_SECONDS = 900.0
"""A worker that loads a model says nothing meanwhile; after a quarter of an hour it is hung."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said, and how it ended; `forgotten` as in `AnswerEnded`."""

    text: str
    finish: events.Finish
    new_tokens: int
    seconds: float
    forgotten: int = 0


class Answerer:
    """A model, the worker that holds it, and the folder for the worker's files.

    The worker is started with the first question. Use as a context manager to end it.
    """

    def __init__(
        self,
        device: DeviceSpec,
        model_folder: Path,
        max_new_tokens: int,
        prefill_tokens: int,
        folder: Path,
        command: Sequence[str] = SubprocessRunner().command,
    ) -> None:
        self.device = device
        self.model_folder = model_folder
        self.max_new_tokens = max_new_tokens
        self.prefill_tokens = prefill_tokens
        self.folder = folder
        self.command = command
        self.worker: WorkerProcess | None = None
        self.asked = 0
        self.interrupts = 0
        self.stop_file: Path | None = None

    def __enter__(self) -> "Answerer":
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the worker."""
        self.end()

    @property
    def busy(self) -> bool:
        """Whether it answers at the moment."""
        return self.stop_file is not None

    def interrupt(self) -> None:
        """End the answer where it is; the second time, the worker with it.

        It may be called by a signal while `answer` waits, and raises nothing there: what waits
        goes on to its own end.
        """
        self.interrupts += 1
        if self.interrupts == 1 and self.stop_file is not None:
            with contextlib.suppress(OSError):
                self.stop_file.touch()
        elif self.worker is not None:
            self.worker.process.kill()

    def end(self) -> None:
        """End the worker, whatever it does; the next question gets another."""
        if self.worker is not None:
            self.worker.kill()
            self.worker = None

    def answer(self, turns: Sequence[Turn], on_text: Callable[[str], None]) -> Answer:
        """The answer to the last turn; `on_text` gets each piece as it comes.

        Raises:
            BadInput: the model cannot be used, or cannot be asked that.
            EnvironmentFault: the worker could not answer.
        """
        said: list[str] = []
        ended: list[events.AnswerEnded] = []

        def on_event(event: events.WorkerEvent) -> None:
            if isinstance(event, events.Said):
                said.append(event.text)
                on_text(event.text)
            elif isinstance(event, events.AnswerEnded):
                ended.append(event)

        try:
            result = self._follow(turns, on_event)
        except BaseException:
            self.end()
            raise
        finally:
            self.stop_file = None
        text = "".join(said)
        if result.failure is not None:
            self.end()
            if self.interrupts < 2:
                raise worker_error(result, f"model {self.model_folder}", self.folder)
            return Answer(text, "interrupted", 0, result.seconds)
        last = ended[-1]
        return Answer(text, last.finish, last.new_tokens, last.seconds, last.forgotten)

    def _follow(
        self, turns: Sequence[Turn], on_event: Callable[[events.WorkerEvent], None]
    ) -> JobResult:
        """Have the job done by the worker that is there, or a new one."""
        self.asked += 1
        self.interrupts = 0
        self.stop_file = self.folder / f"stop-{self.asked}"
        job = ChatJob(
            device=self.device,
            model_folder=str(self.model_folder),
            turns=tuple(turns),
            max_new_tokens=self.max_new_tokens,
            prefill_tokens=self.prefill_tokens,
            stop_file=str(self.stop_file),
        )
        if self.worker is None:
            self.worker = WorkerProcess(self.command, job, self.folder, stays=True)
        else:
            self.worker.give(job, self.folder)
        result = self.worker.follow(on_event, SILENCE_SECONDS)
        if not self.worker.alive:
            self.end()
        return result
