"""The device as the screen shows it: sampled now and then, never opened."""

from collections.abc import Callable
from dataclasses import dataclass

import psutil

from autotune.base.sizes import show_size
from autotune.device.cpu import on_battery
from autotune.device.nvml_port import NvmlUnavailable
from autotune.protocol.device_kind import has_own_memory
from autotune.protocol.events import CardSampled
from autotune.run.setup import Setup
from autotune.run.state import StudyState


@dataclass(frozen=True, slots=True)
class DeviceSample:
    """The device at one moment. None stands for what is not reported: it is not shown."""

    used_bytes: int | None
    limit_bytes: int
    temperature_c: float | None = None
    power_watts: float | None = None
    limit_watts: float | None = None
    throttled_by: tuple[str, ...] = ()
    on_battery: bool | None = None
    note: str = ""

    @property
    def limit(self) -> str:
        """What may be used: `6.00 GiB`."""
        return show_size(self.limit_bytes)

    @property
    def memory(self) -> str:
        """What is used of what may be: `3.00 GiB / 6.00 GiB`; the limit where that is not known."""
        return (
            self.limit
            if self.used_bytes is None
            else f"{show_size(self.used_bytes)} / {self.limit}"
        )

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


def recorded_gauge(
    get_state: Callable[[], StudyState], is_running: Callable[[], bool]
) -> Callable[[], DeviceSample]:
    """A function that samples the device of a run that another process works at.

    A card as the run's own record has it last, half a minute old at most; on a CPU the
    resident memory of the worker that reported last. Nothing of a run that nobody works at.
    """

    def sample() -> DeviceSample:
        state = get_state()
        if state.run is None:
            return DeviceSample(None, 0)
        limit, kind = state.run.budget_bytes, state.run.device_kind
        if not is_running():
            return DeviceSample(None, limit)
        cards = state.current.telemetry.cards if state.current else []
        if kind is not None and has_own_memory(kind):
            return card_sample(cards[-1], limit) if cards else DeviceSample(None, limit)
        worker = state.work.worker
        return DeviceSample(resident_bytes(worker.pid) if worker else None, limit)

    return sample


def card_sample(card: CardSampled, limit_bytes: int) -> DeviceSample:
    """A card as it was on record last."""
    return DeviceSample(
        card.used_bytes,
        limit_bytes,
        temperature_c=card.celsius,
        power_watts=card.watts,
        limit_watts=card.limit_watts,
        throttled_by=card.throttled or (),
        on_battery=card.on_battery,
    )


def resident_bytes(number: int) -> int | None:
    """Resident memory of a process, None where it is gone or not ours to look at."""
    try:
        return int(psutil.Process(number).memory_info().rss)
    except psutil.Error:
        return None


def workers_bytes() -> int:
    """Resident memory of the worker processes, in bytes; 0 while none runs."""
    total = 0
    for child in psutil.Process().children():
        try:
            total += int(child.memory_info().rss)
        except psutil.Error:
            continue
    return total
