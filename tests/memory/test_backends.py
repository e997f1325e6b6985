"""The backends against their contract: this process, a script, and a card where there is one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autotune.memory.cpu import CpuMemory, peak_resident_bytes
from autotune.memory.fake import FakeMemory
from autotune.memory.port import MemoryBackend, MemoryReading
from tests.memory.memory_contract import MIB, MemoryContract

TAKE = "block = bytearray(200 * 2**20); del block; "
SAY = "from autotune.memory.cpu import CpuMemory as C; m = C(); m.begin(0); "


def resident(code: str) -> int:
    """The peak that a fresh process reads of itself after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{SAY}{code}print(m.read().peak_bytes)"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return int(done.stdout)


class TestCpuMemory(MemoryContract):
    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return CpuMemory()

    @pytest.fixture
    def take(self) -> Callable[[int], Any]:
        """Above the highest that this process ever held, or the peak would not show it."""
        above = peak_resident_bytes() - CpuMemory().read().allocated_bytes
        return lambda size: bytearray(b"x") * (size + above)


class TestFakeMemory(MemoryContract):
    @pytest.fixture
    def held(self) -> list[int]:
        return [MIB]

    @pytest.fixture
    def backend(self, held: list[int]) -> MemoryBackend:
        return FakeMemory(lambda _: MemoryReading(sum(held), 0, 0))

    @pytest.fixture
    def take(self, held: list[int]) -> Callable[[int], Any]:
        return held.append


@pytest.mark.torch
@pytest.mark.gpu
class TestCudaMemory(MemoryContract):
    @pytest.fixture
    def backend(self) -> MemoryBackend:
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        from autotune.memory.cuda import CudaMemory

        torch.cuda.empty_cache()
        return CudaMemory(0)

    @pytest.fixture
    def take(self) -> Callable[[int], Any]:
        import torch

        return lambda size: torch.zeros(size, dtype=torch.uint8, device="cuda:0")


def test_memory_that_was_touched_and_given_back_stays_in_the_peak_of_a_process() -> None:
    at_rest, after = resident(""), resident(TAKE)
    assert 190 * MIB < after - at_rest < 220 * MIB


def test_a_process_does_not_inherit_the_peak_of_the_one_that_started_it() -> None:
    block = bytearray(b"x") * (300 * MIB)
    assert resident("") < 200 * MIB
    del block


def test_a_script_is_read_in_order_and_its_limit_remembered() -> None:
    memory = FakeMemory(lambda read: MemoryReading(100 * (read + 1), 0, read))
    memory.begin(77)
    assert [memory.read().peak_bytes for _ in range(3)] == [100, 200, 300]
    memory.release()
    assert (memory.limit_bytes, memory.released, memory.reads) == (77, 1, 3)
