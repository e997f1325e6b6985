"""The worker's half of the table of devices."""

from typing import get_args

import pytest
import torch

from autotune.protocol.device_kind import DeviceKind
from autotune.protocol.job import on_the_computer
from autotune.worker.compute import open_compute
from autotune.worker.device_kinds import KINDS, UNKNOWN, traits_of
from autotune.worker.memory.base import OpenedDevice
from autotune.worker.memory.cpu import CpuMemory
from tests.worker.played_kind import play

pytestmark = pytest.mark.torch


def test_every_kind_can_be_opened_and_what_is_elsewhere_has_nothing_of_its_own() -> None:
    assert set(KINDS) == set(get_args(DeviceKind))
    assert traits_of("cpu") is traits_of(torch.device("cpu")) is KINDS["cpu"]
    assert traits_of(torch.device("meta")) is UNKNOWN
    assert not UNKNOWN.kernels and UNKNOWN.synchronize is None


def test_a_job_opens_the_device_that_its_kind_names(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = OpenedDevice(torch.device("cpu"), CpuMemory(), "a device of another kind")
    waited: list[torch.device] = []
    play(monkeypatch, open=lambda _: opened, synchronize=waited.append)
    compute = open_compute(on_the_computer())
    compute.synchronize()
    assert compute.name == "a device of another kind"
    assert compute.memory is opened.memory
    assert waited == [torch.device("cpu")]
