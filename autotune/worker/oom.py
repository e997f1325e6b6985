"""Work that ran out of memory is done again with less at a time, in this process.

Half-way through nothing is lost: of a step gradients are dropped and its conversations taken again
in smaller pieces; answers keep the tokens that they have, and only their cache is made again. The
smaller size stays. What is tried, and when it is left to a new process, `oom_recovery` says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from autotune.base.sizes import show_size
from autotune.protocol import events
from autotune.protocol.device_kind import has_own_memory
from autotune.protocol.failure import Failure
from autotune.protocol.oom_recovery import (
    Action,
    in_worker,
    is_out_of_memory,
    smaller_micro_batching,
)
from autotune.protocol.plan import MicroBatching
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.memory.errors import classify
from autotune.worker.tokens.encode import Row
from autotune.worker.train.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from autotune.worker.generate.engine import Engine
    from autotune.worker.train.step import Stepper

Done = TypeVar("Done", covariant=True)


class MemoryKept(RuntimeError):
    """Out of memory, and what the failed attempt had taken did not come back."""


@dataclass(frozen=True, slots=True)
class MemoryShortage:
    """What is kept of an error: words. The error itself would hold every frame it went through."""

    phase: str
    reason: str


class Work(Protocol[Done]):
    """What may run out of memory and be done again."""

    @property
    def phase(self) -> str:
        """What it is at."""
        ...

    @property
    def weights_moved(self) -> bool:
        """Whether the attempt may have changed weights."""
        ...

    def attempt(self) -> Done:
        """Do it."""
        ...

    def next_try(self) -> Action | None:
        """Make ready for the next attempt: SHRINK, RETRY or, where no less is left, None."""
        ...

    def clean(self) -> None:
        """Let go of what the failed attempt holds."""
        ...

    def report(self, shortage: MemoryShortage, *, same_process: bool) -> None:
        """Say what happened and what is changed."""
        ...


class Recovery:
    """Does work again where memory runs out. One for all of a job: it counts doubtful errors."""

    def __init__(self, compute: Compute, ranks: Ranks = ALONE) -> None:
        """Several `ranks` come to the same work with the same errors, and so to the same end."""
        self.compute = compute
        self.ranks = ranks
        self.suspected = False

    def run(self, work: Work[Done]) -> Done:
        """What `work` gives, with less at a time where it did not fit.

        Raises:
            MemoryKept: what was taken is still held.
            Exception: what was raised, where no less can be tried, where weights may have moved, or
                where it was not for memory.
        """
        held = self.held_bytes
        while True:
            try:
                return work.attempt()
            except Exception as error:
                shortage = self.shortage(error, work.phase)
                if shortage is None:
                    raise
                next_try = work.next_try()
                action = in_worker(next_try, weights_moved=work.weights_moved)
                if action is Action.SHRINK_IN_NEW_PROCESS:
                    work.report(shortage, same_process=False)
                if action is not next_try or next_try is None:
                    raise
            # Here, outside `except`, no traceback holds the failed attempt's tensors any more.
            work.clean()
            self.compute.memory.release()
            kept = self.held_bytes - held
            stays = not self.ranks.any(in_worker(next_try, kept_bytes=kept) is not next_try)
            work.report(shortage, same_process=stays)
            if not stays:
                raise MemoryKept(
                    f"out of memory in {shortage.phase}, and {show_size(kept)} of it are still held"
                    f" ({shortage.reason})"
                )

    def shortage(self, error: Exception, phase: str) -> MemoryShortage | None:
        """The report of a lack of memory; None for any other error."""
        failure = classify(error, on_card=has_own_memory(self.compute.device.type))
        if not is_out_of_memory(failure, suspected_before=self.suspected):
            return None
        self.suspected = self.suspected or failure is Failure.SUSPECTED
        lines = str(error).strip().splitlines() or [""]
        return MemoryShortage(phase, f"{type(error).__name__}: {lines[0]}".removesuffix(": "))

    @property
    def held_bytes(self) -> int:
        """What tensors hold now."""
        return self.compute.memory.read().held_bytes


class StepRecovery:
    """Does a training's steps and what comes between them, and continues where memory runs out."""

    def __init__(
        self, stepper: "Stepper", pipe: Pipe, *, longest_row: int, batch_size: int
    ) -> None:
        """`longest_row` is the most tokens a row of the data has."""
        self.recovery = Recovery(stepper.compute, stepper.ranks)
        self.stepper = stepper
        self.pipe = pipe
        self.longest_row = longest_row
        self.batch_size = batch_size

    def step(self, rows: Sequence[Row], number: int) -> events.StepResult:
        """`Stepper.step`, in smaller pieces where these do not fit.

        Raises:
            MemoryKept, Exception: as `Recovery.run`.
        """
        return self.recovery.run(_Step(self, rows, number))

    def between_steps(self, attempt: Callable[[], Done], number: int) -> Done:
        """What `attempt` gives after step `number`, such as a save.

        It may run out of memory once: then it is called again after cleaning. It holds less than a
        step does, so a smaller micro-batch would not help.
        """
        return self.recovery.run(_BetweenSteps(self, attempt, number))

    def report(
        self, shortage: MemoryShortage, number: int, after: MicroBatching, *, same_process: bool
    ) -> None:
        """Say what happened in step `number` and what is changed."""
        self.pipe.emit(
            events.MicroBatchResized(
                step=number,
                phase=shortage.phase,
                batch_size=self.batch_size,
                before=self.stepper.micro_batching,
                after=after,
                same_process=same_process,
                reason=shortage.reason,
            )
        )


class _Step:
    """A step; what comes after a failed attempt splits its largest piece."""

    def __init__(self, training: StepRecovery, rows: Sequence[Row], number: int) -> None:
        self.training = training
        self.stepper = training.stepper
        self.rows = rows
        self.number = number
        self.after: MicroBatching | None = None

    @property
    def phase(self) -> str:
        return self.training.pipe.phase

    @property
    def weights_moved(self) -> bool:
        return self.stepper.weights_touched

    def attempt(self) -> events.StepResult:
        if self.after is not None:
            self.stepper.resize(self.after)
        return self.stepper.step(self.rows, self.number)

    def next_try(self) -> Action | None:
        pieces = [[len(row.input_ids) for row in p] for p in self.stepper.pieces(self.rows)]
        packing = self.stepper.packing
        largest = max(sum(p) if packing else len(p) * max(p) for p in pieces)
        self.after = smaller_micro_batching(
            self.stepper.micro_batching, self.training.longest_row, largest
        )
        return None if self.after is None else Action.SHRINK

    def clean(self) -> None:
        self.stepper.abandon()

    def report(self, shortage: MemoryShortage, *, same_process: bool) -> None:
        assert self.after is not None
        self.training.report(shortage, self.number, self.after, same_process=same_process)


class _BetweenSteps(Generic[Done]):
    """A checkpoint being saved, or a loss measured: again as it is."""

    weights_moved = False

    def __init__(self, training: StepRecovery, attempt: Callable[[], Done], number: int) -> None:
        self.training = training
        self.attempt = attempt
        self.number = number
        self.failed = False

    @property
    def phase(self) -> str:
        return self.training.pipe.phase

    def next_try(self) -> Action | None:
        first, self.failed = not self.failed, True
        return Action.RETRY if first else None

    def clean(self) -> None:
        pass

    def report(self, shortage: MemoryShortage, *, same_process: bool) -> None:
        micro_batching = self.training.stepper.micro_batching
        self.training.report(shortage, self.number, micro_batching, same_process=same_process)


class _Answers:
    """Prompts being answered; a failed pass gives its rows up, which are read again."""

    phase = "generation"
    weights_moved = False

    def __init__(self, engine: "Engine", on_warning: Callable[[str], None], work: str) -> None:
        self.engine = engine
        self.on_warning = on_warning
        self.work = work

    def attempt(self) -> None:
        self.engine.run()

    def next_try(self) -> Action | None:
        return Action.SHRINK if self.engine.smaller() else None

    def clean(self) -> None:
        self.engine.requeue_rows()

    def report(self, shortage: MemoryShortage, *, same_process: bool) -> None:
        if same_process:
            now = self.engine.batch_text()
            self.on_warning(f"{self.work} ran out of memory; continuing with {now}")


def answer_within_memory(
    engine: "Engine",
    compute: Compute,
    on_warning: Callable[[str], None],
    work: str = "evaluation",
) -> None:
    """Answer all prompts; `on_warning` gets a line each time that the batch is made smaller.

    The line says what the answers are for (`work`). Where the memory does not come back, or one row
    alone is too much, the parent tries in a new process.

    Raises:
        MemoryKept, Exception: as `Recovery.run`.
    """
    Recovery(compute).run(_Answers(engine, on_warning, work))
