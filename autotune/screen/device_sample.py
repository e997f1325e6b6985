"""The device as the screen shows it: sampled now and then, never opened."""

from collections.abc import Callable
from dataclasses import dataclass

import psutil

from autotune.base.sizes import show_size
from autotune.device.cpu import on_battery
from autotune.device.nvml_port import NvmlUnavailable
from autotune.run.setup import Setup


@dataclass(frozen=True, slots=True)
class DeviceSample:
    """The device at one moment. None stands for what the driver does not report: shown as n/a."""

    used_bytes: int | None
    limit_bytes: int
    temperature_c: float | None = None
    power_watts: float | None = None
    limit_watts: float | None = None
    throttled_by: tuple[str, ...] = ()
    on_battery: bool | None = None
    note: str = ""

    @property
    def memory(self) -> str:
        """What is used of what may be: `3.00 GiB / 6.00 GiB`."""
        used = "n/a" if self.used_bytes is None else show_size(self.used_bytes)
        return f"{used} / {show_size(self.limit_bytes)}"

    @property
    def share(self) -> float | None:
        """The same as a share: above 1 where it is more."""
        if self.used_bytes is None:
            return None
        return self.used_bytes / self.limit_bytes if self.limit_bytes else 0.0


def device_gauge(setup: Setup) -> Callable[[], DeviceSample]:
    """A function that samples a run's device now; it never creates a CUDA context."""
    device, limit = setup.device, setup.budget.limit_bytes
    open_driver = device.traits.open_driver
    if open_driver is None:
        return lambda: DeviceSample(workers_bytes(), limit, note=device.name)
    nvml = open_driver()

    def sample() -> DeviceSample:
        try:
            state = nvml.state(device.index)
        except NvmlUnavailable:
            return DeviceSample(None, limit, note=device.name)
        return DeviceSample(
            state.used_bytes,
            limit,
            temperature_c=state.celsius,
            power_watts=state.watts,
            limit_watts=state.limit_watts,
            throttled_by=state.throttled or (),
            on_battery=on_battery(),
            note=device.name,
        )

    return sample


def workers_bytes() -> int:
    """Resident memory of the worker processes, in bytes; 0 while none runs."""
    total = 0
    for child in psutil.Process().children():
        try:
            total += int(child.memory_info().rss)
        except psutil.Error:
            continue
    return total
