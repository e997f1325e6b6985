"""What the screen's memory bar reads: the card through NVML, or our processes' memory on a CPU."""

from collections.abc import Callable

import psutil

from autotune.battery import on_battery
from autotune.budget import Budget
from autotune.device import Device
from autotune.device_port import NvmlUnavailable
from autotune.view.port import DeviceSample


def device_gauge(device: Device, budget: Budget) -> Callable[[], DeviceSample]:
    """A function that samples the device now; it never creates a CUDA context."""
    if device.kind == "cpu":
        return lambda: DeviceSample(workers_bytes(), budget.limit_bytes, note=device.name)
    from autotune.device_nvml import Nvml

    nvml = Nvml()

    def sample() -> DeviceSample:
        try:
            state = nvml.state(device.index)
        except NvmlUnavailable:
            return DeviceSample(None, budget.limit_bytes, note=device.name)
        return DeviceSample(
            state.used_bytes,
            budget.limit_bytes,
            temperature_c=state.celsius,
            power_watts=state.watts,
            limit_watts=state.limit_watts,
            held_down_by=state.throttled or (),
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
