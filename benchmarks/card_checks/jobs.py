"""Real jobs in real workers, as the tool itself has them done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from autotune.base.model import Boundary
from autotune.launch import JobResult, SubprocessRunner
from autotune.protocol.choices import Precision
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import DeviceSpec, Job
from benchmarks.card_checks.asked import Ask

SILENCE_SECONDS = 120.0
"""The step's own limit ends a worker that hangs for longer."""

ROOMY_BYTES = 2**40
"""A limit that no device reaches: nothing may stop a trial before its peak is known."""

Kind = TypeVar("Kind", bound=Boundary)


def device_of(ask: Ask, precision: Precision, limit_bytes: int = ROOMY_BYTES) -> DeviceSpec:
    """The device of a job."""
    return DeviceSpec(
        kind="cuda" if ask.on_card else "cpu",
        index=ask.card_index if ask.on_card else 0,
        precision=precision,
        limit_bytes=limit_bytes,
    )


def emitted(
    job: Job,
    folder: Path,
    on_event: Callable[[WorkerEvent], None] = lambda _: None,
    runner: Any = None,
) -> tuple[list[WorkerEvent], JobResult]:
    """Have a job done; its events and its ending."""
    said: list[WorkerEvent] = []

    def note(event: WorkerEvent) -> None:
        said.append(event)
        on_event(event)

    ending = (runner or SubprocessRunner()).run(job, folder, note, silence_seconds=SILENCE_SECONDS)
    return said, ending


def of_kind(said: list[WorkerEvent], kind: type[Kind]) -> list[Kind]:
    """The events of one kind."""
    return [event for event in said if isinstance(event, kind)]


def free_bytes(ask: Ask) -> int:
    """What is free on the device now, by the driver; no context is made."""
    from autotune.device.find import find_device

    found = find_device(ask.device).free_bytes
    if found is None:
        raise OSError("the driver does not report how much memory is free")
    return found
