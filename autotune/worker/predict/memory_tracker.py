"""Counts what a step's tensors take, on a device that is not there.

`MemoryTracker` sees every operation below autograd. It enters the storage of each result, and a
weak reference strikes it out when its last tensor is gone, so that views, tied weights and tensors
saved for the backward pass count once and as long as they live. Under `FakeTensorMode` no operation
is computed and no memory is taken.
"""

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from autotune.worker.predict.workspaces import has_bias, scratch_bytes

aten: Any = torch.ops.aten
prim: Any = torch.ops.prim


class Kind(IntEnum):
    """What a storage holds; also its place in a count."""

    WEIGHTS = 0
    GRADIENTS = 1
    OPTIMIZER = 2
    ACTIVATIONS = 3
    LOGITS = 4
    TEMPORARY = 5


Counts = np.ndarray[Any, np.dtype[np.float64]]
"""Bytes by kind, (..., len(Kind))."""


@dataclass
class Part:
    """A stretch of a step: its phase, and the count after each operation."""

    phase: str
    counts: list[Counts]


class Block(Protocol):
    """Memory that was given out, `size` bytes of it."""

    size: int


class Allocator(Protocol):
    """Gives out blocks and takes them back."""

    def take(self, size: int) -> Block:
        """A block for a request of so many bytes; it may be larger."""

    def give(self, block: Any) -> None:
        """Take the block back."""


@dataclass
class Rounded:
    """A block of a `Rounding`."""

    size: int


@dataclass
class Rounding:
    """An allocator that only rounds requests up, so that sizes add up in a line."""

    block: int

    def take(self, size: int) -> Rounded:
        """A block of the request, rounded up."""
        return Rounded(-(-size // self.block) * self.block)

    def give(self, block: Any) -> None:
        """Nothing to do."""


class MemoryTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes alive by kind, recorded after every operation.

    `parts` begin where a phase does, and where the supervised positions are picked out or put
    back: between two such places a step is one stretch of equal pieces, layers or chunks.

    Values are not known, so questions about them are answered for a healthy step: every float is
    1, every condition holds, and of a mask's positions `share` are set.
    """

    def __init__(
        self, *, allocator: Allocator, vocabulary: int, share: float, scratch: bool
    ) -> None:
        """`scratch` adds what CUDA's kernels take inside, which are no tensors here.

        `biased` is whether some linear layer has a bias, known once a step was seen.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.allocator = allocator
        self.vocabulary = vocabulary
        self.share = share
        self.scratch = scratch
        self.biased = False
        self.phase = ""
        self.live = np.zeros(len(Kind))
        self.parts: list[Part] = []
        self._held: dict[int, tuple[Any, Kind, Block]] = {}

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.phase = phase
        self.parts.append(Part(phase, [self.live.copy()]))

    def forget(self) -> None:
        """Drop the notes so far; what is alive stays entered."""
        self.parts = []

    def mark(self, tensors: Iterable[Tensor | None], kind: Kind) -> None:
        """Say what these tensors are."""
        for tensor in tensors:
            if tensor is not None:
                key = tensor.untyped_storage()._cdata
                if key in self._held:
                    reference, old, block = self._held[key]
                    self.live[old] -= block.size
                    self.live[kind] += block.size
                    self._held[key] = (reference, kind, block)
                else:
                    self._hold(tensor, kind)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Do the operation and enter its results."""
        if func is prim.device.default:  # asked for constantly, and it makes no tensor
            return args[0].fake_device
        if func is aten._local_scalar_dense.default:
            return True if args[0].dtype is torch.bool else 1.0
        if func is aten.allclose.default:
            return True
        if func is aten.nonzero.default:
            return self._places(args[0])
        if func in _INDEXED and len(args[1]) == 1:
            self.enter(self.phase)
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._hold(tensor, self._kind(func, tensor, args))
        if self.parts:
            count = self.live.copy()
            count[Kind.TEMPORARY] += self._worked(func, args)
            self.parts[-1].counts.append(count)
        return out

    def _hold(self, tensor: Tensor, kind: Kind) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._held:
            return
        block = self.allocator.take(storage.nbytes())
        self.live[kind] += block.size
        self._held[key] = (weakref.ref(storage, self._strike_out(key)), kind, block)

    def _strike_out(self, key: int) -> Callable[[Any], None]:
        def gone(_: Any) -> None:
            _, kind, block = self._held.pop(key)
            self.live[kind] -= block.size
            self.allocator.give(block)

        return gone

    def _kind(self, func: Any, tensor: Tensor, args: Sequence[Any]) -> Kind:
        if tensor.ndim > 1 and tensor.shape[-1] == self.vocabulary:
            return Kind.LOGITS
        if func is aten._to_copy.default:
            source = self._held.get(args[0].untyped_storage()._cdata)
            if source is not None and source[1] is Kind.WEIGHTS:
                return Kind.TEMPORARY  # a 16-bit copy of a weight
        # Recomputed activations are made in the backward pass, but with autograd watching.
        return Kind.ACTIVATIONS if torch.is_grad_enabled() else Kind.TEMPORARY

    def _places(self, mask: Tensor) -> Tensor:
        """The positions that a mask has set, (positions, dimensions): as many as were named."""
        count = max(1, round(self.share * mask.numel()))
        return torch.empty((count, mask.ndim), dtype=torch.long)

    def _worked(self, func: Any, args: Sequence[Any]) -> int:
        """Bytes that the operation took beside its results and gave back."""
        if not self.scratch:
            return 0
        self.biased = self.biased or has_bias(func, args)
        block = self.allocator.take(scratch_bytes(func, args))
        self.allocator.give(block)
        return block.size


_INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
