"""One training by several processes, started by torchrun: what they share, add up and agree on.

Each rank takes its share of a step's micro-batches. The loss is divided by the step's own number of
supervised tokens, so gradients and losses of the ranks are simply added. Weights, moments and
schedule are then the same on all of them, and a checkpoint is that of a single process.

A rank that fails alone would leave the others waiting for it. So whatever may fail on one is done
`together`: nobody continues before all have said how it went, and all fail if one did. They come to
the same next attempt by that.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import Parameter

from autotune.protocol.device_kind import has_own_memory
from autotune.protocol.failure import Failure
from autotune.worker.faults import JobFault
from autotune.worker.memory.errors import classify
from autotune.worker.torchrun import Launch

Done = TypeVar("Done")

ALONE_BYTES = 2**20
"""Gradients from this size on are added where they lie; smaller ones are laid together first, since
each addition costs as much as a round of messages, however small (0.4 ms between two processes of
one machine by gloo). So the copies take little: of SmolLM2-135M 26 MiB."""


_LEAST = -(2**63)
"""Below any number that is told; the least of int64."""


class OtherRankFailed(JobFault):
    """Another rank failed; `failure` is what it failed of."""

    def __init__(self, failure: Failure, text: str) -> None:
        super().__init__(text)
        self.failure = failure


class Ranks:
    """The processes of one training. This is one alone: it has all, and nothing to wait for."""

    rank = 0
    size = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that saves."""
        return self.rank == 0

    def limit(self, lengths: Sequence[int], micro_batch_tokens: int) -> int:
        """Tokens of a micro-batch at most: no more than an equal share of rows of these lengths.

        One micro-batch that holds a whole step would leave all ranks but one without work.
        """
        return micro_batch_tokens

    def share(self, sizes: Sequence[int]) -> list[int]:
        """Which micro-batches are this rank's, of all of a step with so many tokens each."""
        return list(range(len(sizes)))

    def together(self, work: Callable[[], Done]) -> Done:
        """What `work` gives here, once it went well on all ranks.

        Raises:
            OtherRankFailed: it did not on another one.
            Exception: what it raised here.
        """
        return work()

    def any(self, flag: bool) -> bool:
        """Whether it is so on any rank."""
        return flag

    def sum(self, number: float) -> float:
        """The numbers of all ranks, added."""
        return number

    def each(self, number: int) -> list[int]:
        """The number of each rank."""
        return [number]

    def sum_gradients(self, parameters: Sequence[Parameter]) -> None:
        """Add up the gradients of all ranks, in place and in fp32, as the gradients are.

        A parameter that no rank has a gradient of keeps none.
        """

    def in_turn(self, work: Callable[[], Done]) -> Done:
        """What `work` gives here: the first rank does it alone, and the others after it."""
        return work()

    def by_first(self, work: Callable[[], Done]) -> Done | None:
        """What `work` gives on the first rank, which does it while the others wait; else None."""
        return work()


ALONE = Ranks()


class SeveralRanks(Ranks):
    """Processes that are joined by `torch.distributed`.

    What they agree on are single numbers, which go by gloo between their computers' memories: a
    card is not waited for. Gradients go by nccl between cards, else by gloo.
    """

    def __init__(self, launch: Launch, device: torch.device) -> None:
        """Waits for all ranks, the first time in a process."""
        import torch.distributed as dist

        self.rank, self.size = launch.rank, launch.size
        self._dist: Any = dist
        self._on_card = has_own_memory(device.type)
        if not dist.is_initialized():
            how = {"backend": "nccl", "device_id": device} if self._on_card else {"backend": "gloo"}
            dist.init_process_group(**how)
        self._control: Any = dist.new_group(backend="gloo") if self._on_card else dist.group.WORLD

    def limit(self, lengths: Sequence[int], micro_batch_tokens: int) -> int:
        """See `Ranks`."""
        return min(micro_batch_tokens, equal_share(sum(lengths), self.size))

    def share(self, sizes: Sequence[int]) -> list[int]:
        """See `Ranks`."""
        return shares(sizes, self.size)[self.rank]

    def together(self, work: Callable[[], Done]) -> Done:
        """See `Ranks`. Only within `except` is the error at hand, which holds what it used."""
        try:
            result = work()
        except Exception as error:
            self._failures((classify(error, on_card=self._on_card), _words(error)))
            raise
        failures = self._failures(None)
        if failures:
            rank, (failure, words) = min(failures.items())
            raise OtherRankFailed(failure, f"rank {rank} of {self.size}: {words}")
        return result

    def any(self, flag: bool) -> bool:
        """See `Ranks`."""
        return self._most([int(flag)])[0] > 0

    def sum(self, number: float) -> float:
        """See `Ranks`. In float64, in the same order on all ranks."""
        summed = torch.tensor([number], dtype=torch.float64)
        self._agree(summed, self._dist.ReduceOp.SUM)
        return float(summed[0])

    def each(self, number: int) -> list[int]:
        """See `Ranks`."""
        return self._most([number if rank == self.rank else _LEAST for rank in range(self.size)])

    def sum_gradients(self, parameters: Sequence[Parameter]) -> None:
        """See `Ranks`."""
        found = self._most([int(p.grad is not None) for p in parameters])
        used = [p for p, one in zip(parameters, found, strict=True) if one]
        small, flat = self.together(lambda: _laid_together(used))
        for parameter in used:
            if not _is_small(parameter):
                self._dist.all_reduce(parameter.grad)
        if small:
            self._dist.all_reduce(flat)
            parts = torch.split(flat, [gradient.numel() for gradient in small])
            for gradient, part in zip(small, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def in_turn(self, work: Callable[[], Done]) -> Done:
        """See `Ranks`."""
        done = self.by_first(work)
        mine = self.together(lambda: None if self.first else work())
        return done if self.first else mine  # type: ignore[return-value]

    def by_first(self, work: Callable[[], Done]) -> Done | None:
        """See `Ranks`."""
        return self.together(lambda: work() if self.first else None)

    def _most(self, numbers: list[int]) -> list[int]:
        """The largest of each number on all ranks."""
        most = torch.tensor(numbers, dtype=torch.int64)
        self._agree(most, self._dist.ReduceOp.MAX)
        found: list[int] = most.tolist()
        return found

    def _agree(self, numbers: Tensor, operation: Any) -> None:
        """Make of numbers in the computer's memory, in place, what they come to on all ranks.

        Raises:
            OtherRankFailed: one of them is gone, and has said itself why if it could.
        """
        try:
            self._dist.all_reduce(numbers, op=operation, group=self._control)
        except RuntimeError as error:
            text = f"another of the {self.size} ranks is gone; it says why, or torchrun does"
            raise OtherRankFailed(Failure.OTHER, text) from error

    def _failures(self, mine: tuple[Failure, str] | None) -> dict[int, tuple[Failure, str]]:
        """Which ranks failed and of what; the words are sent only when there are some."""
        if not self.any(mine is not None):
            return {}
        told: list[Any] = [None] * self.size
        self._dist.all_gather_object(told, mine, group=self._control)
        return {rank: one for rank, one in enumerate(told) if one is not None}


def ranks_of(launch: Launch, device: torch.device) -> Ranks:
    """The ranks of a launch, with this process as one of them."""
    return SeveralRanks(launch, device) if launch.shared else ALONE


def equal_share(tokens: int, ranks: int) -> int:
    """A rank's part of so many tokens, rounded up, and at least one."""
    return max(1, -(-tokens // ranks))


def shares(sizes: Sequence[int], ranks: int) -> list[list[int]]:
    """Places of `sizes` for each rank, in order, with sums of like size; some may get none.

    The largest first, each to the rank that has least: no sum is then more than a third above the
    best that there is (Graham 1969, "Bounds on Multiprocessing Timing Anomalies"). Equal ones go by
    place and rank, so that all ranks come to the same.
    """
    given: list[list[int]] = [[] for _ in range(ranks)]
    loads = [0] * ranks
    for at in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        least = min(range(ranks), key=lambda r: (loads[r], r))
        given[least].append(at)
        loads[least] += sizes[at]
    return [sorted(own) for own in given]


def _laid_together(parameters: Sequence[Parameter]) -> tuple[list[Tensor], Tensor]:
    """The small gradients and one tensor with all their numbers; what has none is given zeros."""
    small = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if _is_small(parameter):
            small.append(parameter.grad)
        else:
            parameter.grad = parameter.grad.contiguous()
    return small, torch.cat([g.flatten() for g in small]) if small else torch.empty(0)


def _is_small(parameter: Parameter) -> bool:
    """By the parameter, which is of one size on all ranks."""
    return parameter.numel() * parameter.element_size() < ALONE_BYTES


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
