"""What PyTorch's allocator for CUDA makes of a request for bytes, on a device that is not there.

It does what c10/cuda/CUDACachingAllocator.cpp does (its native backend with default settings): it
asks the driver for segments, cuts blocks from them, joins free neighbours again and gives no
segment back. In the steps of `benchmarks/fit_measured.py` it reserves what a Tesla T4 did: to 0.1 %
where the kernel of attention is fused, to 9 % where there are tables of T x T.
"""

import bisect
from dataclasses import dataclass, field

from autotune.worker.device_kinds import KINDS

CUDA_BLOCK = KINDS["cuda"].block_bytes

MIB = 2**20

SMALL = MIB
"""The largest request that is served from small segments (kSmallSize)."""
SMALL_SEGMENT = 2 * MIB
"""Their size (kSmallBuffer)."""
MEDIUM = 10 * MIB
"""From this request on a segment is made for it alone (kMinLargeAlloc)."""
MEDIUM_SEGMENT = 20 * MIB
"""The size of a segment for smaller ones (kLargeBuffer)."""
ROUND_SEGMENT = 2 * MIB
"""What a segment for one request is rounded up to (kRoundLarge)."""


@dataclass(eq=False, slots=True)
class Block:
    """A stretch of memory that was given out or is free again; its neighbours in its segment."""

    address: int
    size: int
    small: bool = False
    free: bool = False
    before: "Block | None" = None
    after: "Block | None" = None

    @property
    def order(self) -> tuple[int, int]:
        """Free blocks are looked through by size, then by address."""
        return self.size, self.address


@dataclass
class CachingAllocator:
    """PyTorch's allocator for CUDA. `reserved` is what it holds of the device, in bytes."""

    reserved: int = 0
    _free: dict[bool, list[tuple[tuple[int, int], Block]]] = field(
        default_factory=lambda: {True: [], False: []}
    )

    def take(self, size: int) -> Block:
        """The smallest free block that holds the request, cut to it where enough is left over.

        A rest of a large block is left over from 1 MiB on only, so a block may be larger than its
        request; PyTorch counts the whole block as allocated.
        """
        if not size:
            return Block(0, 0)
        size = -(-size // CUDA_BLOCK) * CUDA_BLOCK
        small = size <= SMALL
        free = self._free[small]
        at = bisect.bisect_left(free, ((size, -1),))
        block = free.pop(at)[1] if at < len(free) else self._segment(size, small)
        left = block.size - size
        if left >= CUDA_BLOCK if small else left > SMALL:
            rest = Block(block.address + size, left, small, True, block, block.after)
            if block.after is not None:
                block.after.before = rest
            block.after, block.size = rest, size
            self._keep(rest)
        block.free = False
        return block

    def give(self, block: Block) -> None:
        """Take a block back and join it with free neighbours."""
        if not block.size:
            return
        block.free = True
        before, after = block.before, block.after
        if before is not None and before.free:
            self._drop(before)
            block.address, block.before = before.address, before.before
            block.size += before.size
            if block.before is not None:
                block.before.after = block
        if after is not None and after.free:
            self._drop(after)
            block.after = after.after
            block.size += after.size
            if block.after is not None:
                block.after.before = block
        self._keep(block)

    def _segment(self, size: int, small: bool) -> Block:
        if small:
            whole = SMALL_SEGMENT
        elif size < MEDIUM:
            whole = MEDIUM_SEGMENT
        else:
            whole = -(-size // ROUND_SEGMENT) * ROUND_SEGMENT
        block = Block(self.reserved, whole, small)
        self.reserved += whole
        return block

    def _keep(self, block: Block) -> None:
        bisect.insort(self._free[block.small], (block.order, block))

    def _drop(self, block: Block) -> None:
        free = self._free[block.small]
        del free[bisect.bisect_left(free, (block.order,))]
