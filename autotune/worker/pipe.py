"""The pipe to the parent: one JSON event a line on the worker's real standard output."""

import os
from typing import BinaryIO

from autotune import events
from autotune.events import WorkerEvent


class Pipe:
    """Writes events and remembers the phase, so that a failure can say where it happened."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.phase = "start"

    def emit(self, event: WorkerEvent) -> None:
        """Send one event; a parent that is gone ends the worker at once."""
        if isinstance(event, events.Phase):
            self.phase = event.name
        try:
            self.stream.write(event.model_dump_json().encode("utf-8") + b"\n")
            self.stream.flush()
        except OSError:
            os._exit(5)

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.emit(events.Phase(name=phase))
