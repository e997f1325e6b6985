"""The backends against their contract: this process, a script, and a card where there is one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autotune.worker.memory.base import MemoryBackend, MemoryReading
from autotune.worker.memory.cpu import CpuMemory, peak_resident_bytes
from tests.fakes.memory import FakeMemory
from tests.worker.memory.memory_contract import MIB, MemoryContract

ROOT = Path(__file__).resolve().parents[3]
TAKE = "block = bytearray(200 * 2**20); del block; "
SAY = "from autotune.worker.memory.cpu import CpuMemory as C; m = C(); "


def resident(code: str) -> int:
    """The peak that a fresh process reads of itself after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{SAY}{code}print(m.read().peak_bytes)"],
        cwd=ROOT,
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


class Block:
    """Memory of a device that is played; it is given back when nothing refers to it."""

    def __init__(self, device: list[int], size: int) -> None:
        self.device, self.size = device, size
        device.append(size)

    def __del__(self) -> None:
        self.device.remove(self.size)


class TestFakeMemory(MemoryContract):
    @pytest.fixture
    def held(self) -> list[int]:
        return [MIB]

    @pytest.fixture
    def backend(self, held: list[int]) -> MemoryBackend:
        peaks: dict[int, int] = {}

        def reading(_: int) -> MemoryReading:
            peak = max(peaks.get(memory.restarted, 0), sum(held))
            peaks[memory.restarted] = peak
            return MemoryReading(peak, 0, 0, held_bytes=sum(held))

        memory = FakeMemory(reading)
        return memory

    @pytest.fixture
    def take(self, held: list[int]) -> Callable[[int], Any]:
        return lambda size: Block(held, size)


@pytest.mark.torch
@pytest.mark.gpu
class TestCudaMemory(MemoryContract):
    @pytest.fixture
    def backend(self) -> MemoryBackend:
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        from autotune.worker.memory.cuda import CudaMemory

        torch.cuda.empty_cache()
        memory = CudaMemory(0)
        memory.begin(2**33)
        return memory

    @pytest.fixture
    def take(self) -> Callable[[int], Any]:
        import torch

        return lambda size: torch.zeros(size, dtype=torch.uint8, device="cuda:0")

    def test_reserved_and_context_are_what_the_driver_counts_for_this_process(
        self, backend: MemoryBackend, take: Callable[[int], Any]
    ) -> None:
        from autotune.device.nvml import Nvml

        held = take(200 * MIB)
        peak = backend.read().peak_bytes
        told = {user.pid: user.bytes for user in Nvml().users(0)}.get(os.getpid())
        del held
        if told is None:
            pytest.skip("this driver does not say what a process holds")
        assert abs(peak - told) < 64 * MIB


def test_memory_that_was_touched_and_given_back_stays_in_the_peak_of_a_process() -> None:
    at_rest, after = resident(""), resident(TAKE)
    assert 190 * MIB < after - at_rest < 220 * MIB


def test_a_process_does_not_inherit_the_peak_of_the_one_that_started_it() -> None:
    block = bytearray(b"x") * (300 * MIB)
    assert resident("") < 200 * MIB
    del block


def test_a_script_is_read_in_order() -> None:
    memory = FakeMemory(lambda read: MemoryReading(100 * (read + 1), 0, read))
    assert [memory.read().peak_bytes for _ in range(3)] == [100, 200, 300]
    memory.release()
    assert (memory.released, memory.reads) == (1, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets a peak back")
def test_a_process_on_linux_measures_its_peak_again() -> None:
    code = TAKE + "assert m.restart(); "
    assert resident(code) < resident("") + 20 * MIB


def test_a_process_that_cannot_forget_its_peak_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert CpuMemory().restart() is False


# A model of 9 million weights that takes two steps on so many rows, one run after the other. One
# thread: where another program has a core, two wait for each other many times as long.
STEPS = """
import sys
import torch
from autotune.worker.memory.cpu import CpuMemory

def train(rows):
    layers = []
    for _ in range(2):
        layers += [torch.nn.Linear(768, 3072), torch.nn.GELU(), torch.nn.Linear(3072, 768)]
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for _ in range(2):  # the second holds Adam's state
        model(torch.randn(rows, 768)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

torch.set_num_threads(1)
memory = CpuMemory()
for rows in map(int, sys.argv[1:]):
    memory.restart()
    train(rows)
    print(memory.read().peak_bytes)
"""


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets a peak back")
def test_the_same_work_peaks_in_a_warm_process_nearly_as_in_a_fresh_one() -> None:
    def peaks(*rows: int) -> list[int]:
        done = subprocess.run(
            [sys.executable, "-c", STEPS, *map(str, rows)],
            cwd=ROOT,
            env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(MIB)},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        return [int(line) for line in done.stdout.split()]

    (fresh,) = peaks(512)
    large, warm = peaks(2048, 512)
    assert large > 1.1 * fresh
    # Seen: 474 and 473 MiB. Without the fixed threshold 486 to 505 fresh and 490 to 521 warm, in
    # five pairs: glibc's heap, which keeps freed blocks by a rule that adapts, is never the same.
    assert abs(warm - fresh) < 0.03 * fresh
