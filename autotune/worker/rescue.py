"""A training step that ran out of memory is done again in smaller pieces, in this process.

Half-way through a step nothing is lost: gradients are dropped, the step's conversations are cut
smaller and taken once more, and the smaller cut stays. That needs two things. The memory must
really have come back, and no weight may have moved; where one of them fails, a new process goes on
from the last checkpoint.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from autotune import events
from autotune.budget import MIB, show_size
from autotune.cut import Cut
from autotune.memory.faults import classify
from autotune.outcome import Fault
from autotune.worker.encode import Row
from autotune.worker.pipe import Pipe
from autotune.worker.step import Stepper, StepResult

SLACK_BYTES = 128 * MIB
"""How much more may be held after cleaning than before the step. cuBLAS takes workspaces from
torch's allocator at its first products and keeps them, 8 MiB a thread and 32 on Hopper; a CPU's
resident memory counts libraries that are loaded on the way. A micro-batch that is still held is
larger on anything that can run out of memory."""

Done = TypeVar("Done")


class MemoryKept(RuntimeError):
    """Out of memory, and what the failed step had taken did not come back."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What is kept of an error: words. The error itself would hold every frame it went through."""

    phase: str
    reason: str


class Rescue:
    """Takes a training's steps and saves its checkpoints, and goes on where memory runs out."""

    def __init__(self, stepper: Stepper, pipe: Pipe, *, longest_row: int, batch_size: int) -> None:
        """`longest_row` is the most tokens a row of the data has."""
        self.stepper = stepper
        self.pipe = pipe
        self.longest_row = longest_row
        self.batch_size = batch_size
        self.suspected = False

    def step(self, rows: Sequence[Row], number: int) -> StepResult:
        """`Stepper.step`, in smaller pieces where these do not fit.

        Raises:
            MemoryKept: what the step had taken is still held.
            Exception: what the step raised, where no smaller cut is left, where weights may have
                moved, or where it was not for memory.
        """
        held = self.held_bytes
        while True:
            try:
                return self.stepper.step(rows, number)
            except Exception as error:
                failure = self.failure(error)
                smaller = self.smaller(rows) if failure is not None else None
                if failure is None or smaller is None:
                    raise
                if self.stepper.weights_touched:
                    # Perhaps half of an update: only the last checkpoint is sure.
                    self.tell(number, failure, smaller, same_process=False)
                    raise
            # Here, outside `except`, no traceback holds the failed step's tensors any more.
            self.stepper.abandon()
            self.stepper.compute.memory.release()
            kept = self.held_bytes - held
            self.tell(number, failure, smaller, same_process=kept <= SLACK_BYTES)
            if kept > SLACK_BYTES:
                raise MemoryKept(
                    f"out of memory in {failure.phase}, and {show_size(kept)} of it are still held"
                    f" ({failure.reason})"
                )
            self.stepper.recut(smaller)

    def saving(self, save: Callable[[], Done], number: int) -> Done:
        """What `save` gives. It may run out of memory once: then it is called again after cleaning.

        Nothing of a step is held while saving, so a smaller cut would not help.
        """
        try:
            return save()
        except Exception as error:
            failure = self.failure(error)
            if failure is None:
                raise
        self.stepper.compute.memory.release()
        self.tell(number, failure, self.stepper.cut, same_process=True)
        return save()

    def failure(self, error: Exception) -> Failure | None:
        """What is to be said of a lack of memory; None for any other error.

        One that only may be for memory is taken for it once. A device that the error has made
        unusable never is: every further call would fail.
        """
        fault = classify(error, on_card=self.stepper.compute.device.type == "cuda")
        if fault is Fault.SUSPECTED and not self.suspected:
            self.suspected = True
        elif fault is not Fault.OUT_OF_MEMORY:
            return None
        lines = str(error).strip().splitlines() or [""]
        return Failure(self.pipe.phase, f"{type(error).__name__}: {lines[0]}".removesuffix(": "))

    def smaller(self, rows: Sequence[Row]) -> Cut | None:
        """The cut to try next, which splits the largest piece of these rows."""
        pieces = [[len(row.input_ids) for row in piece] for piece in self.stepper.pieces(rows)]
        packing = self.stepper.packing
        largest = max(sum(p) if packing else len(p) * max(p) for p in pieces)
        return self.stepper.cut.smaller(self.longest_row, largest)

    @property
    def held_bytes(self) -> int:
        """What tensors hold now."""
        return self.stepper.compute.memory.read().held_bytes

    def tell(self, number: int, failure: Failure, after: Cut, *, same_process: bool) -> None:
        """Say what happened and what is changed."""
        self.pipe.emit(
            events.Recut(
                step=number,
                phase=failure.phase,
                batch_size=self.batch_size,
                before=self.stepper.cut,
                after=after,
                same_process=same_process,
                reason=failure.reason,
            )
        )
