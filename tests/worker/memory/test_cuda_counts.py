"""The CUDA meter's bookkeeping over a played card: what it counts from, what it remembers."""

import os
from typing import Any

import pytest
import torch

from autotune.base.sizes import CONTEXT_BYTES
from autotune.worker.memory import cuda
from autotune.worker.memory.cuda import CudaMemory, expandable_segments
from tests.worker.memory.memory_contract import MIB
from tests.worker.memory.played_card import UUID, PlayedNvml, Port

pytestmark = pytest.mark.torch


class Card:
    """A card of 8 GiB: its counters are set by the test, its calls are written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stats = {"reserved_bytes.all.peak": 0, "allocated_bytes.all.peak": 0}
        self.retries = 0
        self.nvml = PlayedNvml()
        self.reserved = 2
        self.shared: int | None = None
        self.calls: list[str] = []
        self.fraction = 0.0
        played: dict[str, Any] = {
            "set_device": lambda device: self.calls.append(f"on {device}"),
            "synchronize": lambda _: None,
            "memory_reserved": lambda _: self.reserved * MIB,
            "memory_stats": lambda _: {**self.stats, "num_alloc_retries": self.retries},
            "reset_peak_memory_stats": lambda _: self.calls.append("reset peak"),
            "empty_cache": lambda: self.calls.append("empty cache"),
            "get_device_properties": lambda _: type(
                "P", (), {"total_memory": 8192 * MIB, "uuid": UUID.removeprefix("GPU-")}
            ),
            "set_per_process_memory_fraction": self.cap,
        }
        for name, answer in played.items():
            monkeypatch.setattr(torch.cuda, name, answer)
        monkeypatch.setattr(cuda, "shared_usage_bytes", lambda: self.shared)

    def cap(self, fraction: float, _: object) -> None:
        self.calls.append("cap")
        self.fraction = fraction

    def peak(self, reserved: int, context: int) -> None:
        """The allocator reaches a peak that it holds, beside a context of so much; all in MiB."""
        self.stats["reserved_bytes.all.peak"] = reserved * MIB
        self.reserved = reserved
        self.nvml.used = 1000 + reserved + context
        self.nvml.users = {os.getpid(): reserved + context}


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch)


def begun(card: Card, limit_mib: int = 4096) -> CudaMemory:
    """A meter on a card of which others hold 1000 MiB; the context takes 300 after warming up."""

    def warm_up() -> None:
        card.calls.append("warm up")
        card.nvml.used, card.nvml.users = 1302, {os.getpid(): 302}

    memory = CudaMemory(0, Port(card.nvml), warm_up)
    memory.begin(limit_mib * MIB)
    return memory


def test_the_context_is_measured_and_the_allocator_capped_at_the_rest(card: Card) -> None:
    memory = begun(card)
    assert memory.context_bytes == 300 * MIB
    assert card.fraction == pytest.approx((4096 - 300) / 8192)
    card.peak(700, 300)
    assert memory.read().peak_bytes == 1000 * MIB


def test_kernels_are_warmed_up_before_the_cap_and_leave_no_peak(card: Card) -> None:
    begun(card)
    assert card.calls == ["on cuda:0", "warm up", "empty cache", "cap", "reset peak"]


def test_the_second_card_is_the_present_one_before_anything_is_warmed_up(card: Card) -> None:
    """Else torch looks at the first one and may make a context there."""
    CudaMemory(1, Port(card.nvml), lambda: card.calls.append("warm up")).begin(4096 * MIB)
    assert card.calls[:2] == ["on cuda:1", "warm up"]


def test_kernels_that_load_later_raise_the_context_and_lower_the_cap(card: Card) -> None:
    memory = begun(card)
    card.peak(700, 420)
    assert memory.read().peak_bytes == 1120 * MIB
    assert card.fraction == pytest.approx((4096 - 420) / 8192)
    # What is reserved and the context together stay within the limit from here on.
    assert card.fraction * 8192 + memory.context_bytes / MIB == pytest.approx(4096)
    card.calls.clear()
    card.peak(900, 420)
    assert memory.read().peak_bytes == 1320 * MIB
    assert card.calls == []


def test_without_nvml_the_context_is_assumed_and_the_cards_use_unknown(card: Card) -> None:
    card.nvml.gone = True
    memory = CudaMemory(0, Port(card.nvml), lambda: None)
    memory.begin(4096 * MIB)
    assert memory.context_bytes == CONTEXT_BYTES
    assert memory.read().device_bytes is None


def test_the_most_that_the_card_and_the_computers_memory_held_is_kept(card: Card) -> None:
    card.shared = 40 * MIB
    memory = begun(card)
    card.nvml.used, card.shared = 5000, 640 * MIB
    first = memory.read()
    card.nvml.used, card.shared = 4000, 90 * MIB
    card.stats["reserved_bytes.all.peak"] = 700 * MIB
    second = memory.read()
    assert (first.device_bytes, first.shared_bytes) == (5000 * MIB, 600 * MIB)
    assert (second.device_bytes, second.shared_bytes) == (5000 * MIB, 600 * MIB)


def test_the_driver_is_asked_when_our_peak_rises_and_not_at_every_step(card: Card) -> None:
    memory = begun(card)
    asked, card.nvml.asked = [], 0
    for reserved in (100, 100, 300, 300, 300):
        card.peak(reserved, 300)
        memory.read()
        asked.append(card.nvml.asked)
    assert asked == [1, 1, 2, 2, 2]


def test_shared_memory_that_nothing_tells_is_unknown_and_not_zero(card: Card) -> None:
    assert begun(card).read().shared_bytes is None


def test_a_restart_counts_again_and_measures_no_second_context(card: Card) -> None:
    card.shared = 40 * MIB
    memory = begun(card)
    card.retries, card.nvml.used, card.shared = 7, 6000, 700 * MIB
    assert memory.read().retries == 7
    card.calls.clear()
    assert memory.restart()
    assert card.calls == ["empty cache", "reset peak"]
    card.nvml.used, card.shared, fraction = 2000, 60 * MIB, card.fraction
    again = memory.read()
    assert (again.retries, again.device_bytes, again.shared_bytes) == (0, 2000 * MIB, 20 * MIB)
    assert (memory.context_bytes, card.fraction) == (300 * MIB, fraction)
    card.retries = 9
    assert memory.read().retries == 2


def test_measuring_never_asks_torch_for_the_cards_use_which_would_make_a_context(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> int:
        raise AssertionError("asked torch")

    monkeypatch.setattr(torch.cuda, "device_memory_used", never)
    begun(card).read()


@pytest.mark.parametrize("on", [True, False])
def test_the_kind_of_segments_is_read_back(monkeypatch: pytest.MonkeyPatch, on: bool) -> None:
    told = {"allocator_settings": {"expandable_segments": on}}
    monkeypatch.setattr(torch.cuda.memory, "_snapshot", lambda: told)
    assert expandable_segments() is on


def test_a_build_that_does_not_tell_its_settings_gives_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda.memory, "_snapshot", dict)
    assert expandable_segments() is None
