"""A job of an export, done by a worker in a folder of its own that goes afterwards."""

from collections.abc import Callable
from pathlib import Path

from autotune.base.scratch import scratch_folder
from autotune.launch import SubprocessRunner, TrialRunner
from autotune.launch.worker_errors import worker_error
from autotune.protocol import events
from autotune.protocol.export_jobs import GgufJob, TrainedChatsJob

SILENCE_SECONDS = 900.0
"""A worker that reads, writes or tokenizes says little; after a quarter of an hour it is hung."""

Job = GgufJob | TrainedChatsJob


def run_job(
    make: Callable[[Path], Job],
    what: str,
    say: Callable[[str], None],
    runner: TrialRunner | None = None,
) -> str:
    """Have it done; what was found, as JSON. `make` is given the file for that.

    Raises:
        BadInput: the model or the data cannot be exported.
        EnvironmentFault: the worker could not do it, or the disk is full.
    """
    with scratch_folder("export") as folder:
        found = folder / "found.json"

        def told(event: events.WorkerEvent) -> None:
            if isinstance(event, events.Phase):
                say(f"{event.name} ...")
            elif isinstance(event, events.Warned):
                say(event.message)

        result = (runner or SubprocessRunner()).run(
            make(found), folder, told, silence_seconds=SILENCE_SECONDS
        )
        if result.failure is not None:
            raise worker_error(result, what, folder)
        return found.read_text(encoding="utf-8")
