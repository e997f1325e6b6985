"""What PyTorch's allocator for CUDA makes of requests, by the rules in its source."""

import random
from itertools import pairwise

import pytest

from autotune.base.sizes import MIB
from autotune.worker.device_kinds import KINDS
from autotune.worker.predict.memory_tracker import Rounding
from benchmarks.caching_allocator import CachingAllocator

pytestmark = pytest.mark.torch  # the package loads it


def test_small_requests_share_a_segment_of_two_mebibytes() -> None:
    allocator = CachingAllocator()
    blocks = [allocator.take(size) for size in (1, 513, MIB)]
    assert [block.size for block in blocks] == [512, 1024, MIB]
    assert allocator.reserved == 2 * MIB
    allocator.take(MIB)  # the rest is 1 MiB less 1536 bytes
    assert allocator.reserved == 4 * MIB


def test_medium_requests_share_a_segment_of_twenty_and_large_ones_get_their_own() -> None:
    allocator = CachingAllocator()
    allocator.take(3 * MIB)
    allocator.take(9 * MIB)
    assert allocator.reserved == 20 * MIB
    allocator.take(11 * MIB + 1)
    assert allocator.reserved == 32 * MIB


def test_a_rest_of_less_than_a_mebibyte_stays_with_its_block() -> None:
    allocator = CachingAllocator()
    allocator.take(15 * MIB)  # a segment of 16
    assert allocator.take(9 * MIB).size == 9 * MIB
    assert allocator.take(10 * MIB).size == 11 * MIB  # of a segment of 20, 9 are taken
    assert allocator.reserved == 36 * MIB


def test_the_smallest_free_block_that_holds_the_request_is_taken() -> None:
    allocator = CachingAllocator()
    wide, narrow = allocator.take(64 * MIB), allocator.take(32 * MIB)
    place = narrow.address
    allocator.give(wide)
    allocator.give(narrow)
    assert allocator.take(31 * MIB).address == place
    assert allocator.reserved == 96 * MIB


def test_free_neighbours_become_one_block_again() -> None:
    allocator = CachingAllocator()
    blocks = [allocator.take(5 * MIB) for _ in range(4)]
    assert allocator.reserved == 20 * MIB
    for at in (1, 3, 2, 0):
        allocator.give(blocks[at])
    assert allocator.take(19 * MIB).size == 20 * MIB
    assert allocator.reserved == 20 * MIB


def test_a_gap_that_is_too_narrow_is_of_no_use() -> None:
    allocator = CachingAllocator()
    for block in [allocator.take(32 * MIB) for _ in range(4)]:
        allocator.give(block)
    allocator.take(100 * MIB)  # four segments side by side are not one
    assert allocator.reserved == 228 * MIB


def test_no_block_overlaps_another_whatever_comes_and_goes() -> None:
    chance, allocator = random.Random(0), CachingAllocator()
    held = []
    for _ in range(3000):
        if held and chance.random() < 0.5:
            allocator.give(held.pop(chance.randrange(len(held))))
        else:
            held.append(allocator.take(chance.choice((300, 70_000, 2 * MIB, 15 * MIB))))
        ends = sorted((block.address, block.address + block.size) for block in held)
        assert all(a[1] <= b[0] for a, b in pairwise(ends))
        assert not ends or ends[-1][1] <= allocator.reserved
    while held:
        allocator.give(held.pop())
    reserved = allocator.reserved
    # All is one piece a segment again, so what was there once fits once more.
    allocator.give(allocator.take(15 * MIB))
    assert allocator.reserved == reserved


def test_nothing_takes_nothing() -> None:
    allocator = CachingAllocator()
    allocator.give(allocator.take(0))
    assert allocator.reserved == 0
    assert Rounding(KINDS["cuda"].block_bytes).take(0).size == 0
    assert Rounding(KINDS["cuda"].block_bytes).take(513).size == 1024
