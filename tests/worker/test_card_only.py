"""The lines of the checks that only a card would run, over a played one."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from autotune.base.sizes import MIB
from autotune.device.nvml_port import Card, CardState, DeviceUser
from benchmarks.card_checks import disturbed_worker, nvml
from benchmarks.card_checks.asked import Ask, Figures

pytestmark = pytest.mark.torch

TOTAL = 8188 * MIB
CARD = Card(0, "RTX", "GPU-1234-aa", TOTAL, 7000 * MIB, "580", (8, 9))


class Driver:
    """Counts what the played card has in use: others, the context, what was allocated."""

    def __init__(self, card: Card = CARD, *, counted: float = 1.0) -> None:
        self.card = card
        self.counted = counted
        self.context = self.asked = 0

    def cards(self) -> tuple[Card, ...]:
        return (self.card,)

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        return ()

    def state(self, index: int) -> CardState:
        used = 1000 * MIB + self.context + round(self.counted * self.asked)
        return CardState(used, None, None, None, None)


class Meter:
    """The worker's meter."""

    context_bytes = 300 * MIB

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def begin(self, limit_bytes: int) -> None:
        self.driver.context = self.context_bytes


def answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, driver: Driver) -> tuple[str, Any]:
    def empty(size: int, **_: Any) -> object:
        driver.asked = size
        return object()

    properties = SimpleNamespace(name="RTX", uuid="1234-aa", total_memory=TOTAL)
    played: dict[str, Any] = {
        "is_initialized": lambda: False,
        "get_device_properties": lambda _: properties,
        "mem_get_info": lambda _: (6700 * MIB, TOTAL),
        "synchronize": lambda *_: None,
    }
    for name, function in played.items():
        monkeypatch.setattr(torch.cuda, name, function)
    monkeypatch.setattr(torch, "empty", empty)
    ask = Ask(False, "cuda", 60.0, str(tmp_path), "m", "w", "d", "p")
    figures = Figures(tmp_path / "result.json", 60)
    found = nvml.card(ask, figures, driver, Meter(driver))
    return str(found.outcome), found.line


def test_a_driver_that_counts_as_torch_does_passes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome, line = answer(monkeypatch, tmp_path, Driver())
    assert (outcome, line) == ("passed", "context 300 MiB, 1024 MiB are 1024")


def test_memory_that_the_driver_does_not_see_and_another_card_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert answer(monkeypatch, tmp_path, Driver(counted=0.5)) == (
        "failed",
        "1024 MiB asked, 512 MiB more in use",
    )
    other = Driver(replace(CARD, uuid="GPU-9999"))
    assert answer(monkeypatch, tmp_path, other) == ("failed", "the driver's card is not torch's")


def test_the_limit_is_lowered_to_half_of_what_steps_take_beside_the_tensors_that_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fractions: list[float] = []
    played: dict[str, Any] = {
        "current_device": lambda: 0,
        "memory_allocated": lambda _: 2000,
        "max_memory_allocated": lambda _: 8000,
        "empty_cache": lambda: None,
        "get_device_properties": lambda _: SimpleNamespace(total_memory=10_000),
        "set_per_process_memory_fraction": lambda fraction, _: fractions.append(fraction),
    }
    for name, function in played.items():
        monkeypatch.setattr(torch.cuda, name, function)
    disturbed_worker.lower_the_limit()
    assert fractions == [0.5]
