"""Answering that ran out of memory goes on with fewer rows, in this process.

Nothing is lost: rows keep the tokens that they have and only their cache is made again. Where the
memory does not come back, or one row alone is too much, the parent tries in a new process.
"""

from collections.abc import Callable

from autotune.budget import show_size
from autotune.memory.faults import classify
from autotune.memory.port import MemoryBackend
from autotune.outcome import Fault
from autotune.worker.engine import Engine
from autotune.worker.rescue import SLACK_BYTES, MemoryKept


def answer_within_memory(
    engine: Engine, memory: MemoryBackend, tell: Callable[[str], None]
) -> None:
    """Answer all prompts; `tell` gets a line each time that less is done at once.

    Raises:
        MemoryKept: what was taken is still held.
        Exception: what was raised, where no less can be tried, or where it was not for memory.
    """
    held = memory.read().held_bytes
    suspected = False
    while True:
        try:
            engine.run()
            return
        except Exception as error:
            fault = classify(error, on_card=answering.compute.device.type == "cuda")
            # An error that only may be for memory is taken for it once.
            if fault is not Fault.OUT_OF_MEMORY and (fault is not Fault.SUSPECTED or suspected):
                raise
            suspected = suspected or fault is Fault.SUSPECTED
            if not engine.smaller():
                raise
        # Here, outside `except`, no traceback holds the failed pass's tensors any more.
        engine.give_up_rows()
        memory.release()
        kept = memory.read().held_bytes - held
        if kept > SLACK_BYTES:
            raise MemoryKept(
                f"out of memory while answering, and {show_size(kept)} of it are still held"
            )
        tell(f"evaluation ran out of memory; going on {engine.at_once()}")
