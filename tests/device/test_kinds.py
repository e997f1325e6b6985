"""A kind of device is an entry in a table: what is decided about a device asks its entry."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.config.load import list_profiles, pick_profile
from autotune.device.budget import auto_budget
from autotune.device.find import Device
from autotune.device.kinds import KINDS, PLANNED
from autotune.device.torch_build import TorchBuild
from autotune.protocol.choices import Precision
from autotune.protocol.device_kind import CAPPED, OWN_MEMORY, DeviceKind
from autotune.protocol.job import on_the_computer
from autotune.run.card_check import demand_build
from autotune.run.setup import resolve_precision
from autotune.train.peak_check import NoCard, watch_other_processes
from autotune.train.watch import NoGauge, gauge_for
from tests.fakes.nvml import FakeNvml
from tests.setups import profile, setup

CPU_BUILD = TorchBuild("2.13.0+cpu", None)


def device(kind: Any) -> Device:
    gib = 2**30
    return Device(kind, "a device", 0, None, 16 * gib, 8 * gib, driver=None)


@pytest.fixture
def shared_gpu(monkeypatch: pytest.MonkeyPatch) -> Device:
    """A kind of GPU that nobody has written: without memory of its own and without a driver."""
    entry = replace(
        KINDS["cuda"],
        prefill_tokens=8192,
        profile="shared-gpu",
        compiles=False,
        open_driver=None,
    )
    monkeypatch.setitem(KINDS, "shared", entry)  # type: ignore[arg-type]
    return device("shared")


def test_every_kind_has_an_entry_and_its_profile_is_shipped() -> None:
    kinds = get_args(DeviceKind)
    assert set(KINDS) == set(kinds) >= OWN_MEMORY | CAPPED
    assert {entry.profile for entry in KINDS.values()} <= {p.name for p in list_profiles()}
    assert KINDS[PLANNED].is_card


def test_a_further_kind_is_handled_by_its_entry_alone(shared_gpu: Device) -> None:
    chosen = profile()
    auto = chosen.machine.model_copy(update={"precision": "auto"})
    probe = chosen.probe.model_copy(update={"torch_compile": "auto"})
    assert pick_profile(shared_gpu) == "shared-gpu"
    assert resolve_precision(chosen.model_copy(update={"machine": auto}), shared_gpu) is (
        Precision.FP16
    )
    assert not probe.tries_compiling(shared_gpu.kind)
    assert isinstance(watch_other_processes(shared_gpu, FakeNvml([])), NoCard)
    assert isinstance(gauge_for(shared_gpu, FakeNvml([])), NoGauge)
    budget = auto_budget(shared_gpu, "auto", "1GiB")
    assert not budget.on_card and budget.card_bytes is None
    with pytest.raises(EnvironmentFault, match="built without CUDA"):
        demand_build(shared_gpu, CPU_BUILD)

    assert replace(setup(chosen), device=shared_gpu).prefill_tokens == 8192


def test_a_device_that_caps_itself_is_not_stopped_from_outside() -> None:
    known = setup(profile())
    assert known.device_spec.resident_limit_bytes == known.budget.limit_bytes
    assert setup(profile(), card=True).device_spec.resident_limit_bytes is None
    assert on_the_computer().resident_limit_bytes is None
