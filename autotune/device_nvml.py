"""The NVML port over `nvidia-ml-py`: every value that the driver refuses is None."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from autotune.device_port import Card, CardState, DeviceUser, NvmlUnavailable
from autotune.throttle import Throttle

_NOT_SET = 2**64 - 1
"""NVML's "not available" for a byte count (unsigned -1)."""

_LIMITS = (
    ("SwPowerCap", Throttle.POWER),
    ("HwSlowdown", Throttle.HARDWARE),
    ("SwThermalSlowdown", Throttle.HEAT),
    ("HwThermalSlowdown", Throttle.HEAT),
    ("HwPowerBrakeSlowdown", Throttle.POWER_BRAKE),
)
"""The library's reasons, less the prefix, and what they mean; an unknown one is passed over."""

_PREFIXES = ("nvmlClocksEventReason", "nvmlClocksThrottleReason")
_REASONS = (
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
)
"""Names since 2023 and before; an old driver knows only the second function."""


class Nvml:
    """The driver of this machine. Started at the first question, one session a process."""

    def __init__(self, library: Any = None) -> None:
        """Ask nothing yet. `library` stands for a `pynvml` that is started already."""
        self._library = library

    def cards(self) -> tuple[Card, ...]:
        """Every card; see `NvmlPort`."""
        nvml = self._started()
        driver = _text(self._ask(nvml.nvmlSystemGetDriverVersion))
        count = self._ask(nvml.nvmlDeviceGetCount) or 0
        return tuple(self._card(index, driver) for index in range(count))

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        """Processes on a card; see `NvmlPort`."""
        nvml = self._started()
        card = self._ask(nvml.nvmlDeviceGetHandleByIndex, index)
        found: dict[int, int | None] = {}
        for ask in (
            nvml.nvmlDeviceGetComputeRunningProcesses,
            nvml.nvmlDeviceGetGraphicsRunningProcesses,
        ):
            for process in (self._ask(ask, card) if card is not None else None) or ():
                known = found.get(process.pid)
                found[process.pid] = _bytes(process.usedGpuMemory) if known is None else known
        return tuple(DeviceUser(pid, _process_name(pid), found[pid]) for pid in sorted(found))

    def state(self, index: int) -> CardState:
        """How a card is doing now; see `NvmlPort`."""
        nvml = self._started()
        card = self._ask(nvml.nvmlDeviceGetHandleByIndex, index)
        if card is None:
            return CardState(None, None, None, None, None)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, card)
        masks = (self._ask(ask, card) for name in _REASONS if (ask := getattr(nvml, name, None)))
        mask = next((found for found in masks if found is not None), None)
        return CardState(
            used_bytes=_bytes(memory.used) if memory else None,
            celsius=self._ask(nvml.nvmlDeviceGetTemperature, card, nvml.NVML_TEMPERATURE_GPU),
            watts=_watts(self._ask(nvml.nvmlDeviceGetPowerUsage, card)),
            limit_watts=_watts(self._ask(nvml.nvmlDeviceGetEnforcedPowerLimit, card)),
            throttled=None if mask is None else _throttled(nvml, mask),
        )

    def _card(self, index: int, driver: str | None) -> Card:
        nvml = self._library
        card = self._ask(nvml.nvmlDeviceGetHandleByIndex, index)
        if card is None:
            return Card(index, f"NVIDIA card {index}", None, None, None, driver)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, card)
        return Card(
            index=index,
            name=_text(self._ask(nvml.nvmlDeviceGetName, card)) or f"NVIDIA card {index}",
            uuid=_text(self._ask(nvml.nvmlDeviceGetUUID, card)),
            total_bytes=_bytes(memory.total) if memory else None,
            free_bytes=_bytes(memory.free) if memory else None,
            driver=driver,
            capability=_pair(self._ask(nvml.nvmlDeviceGetCudaComputeCapability, card)),
        )

    def _started(self) -> Any:
        if self._library is None:
            import pynvml

            try:
                pynvml.nvmlInit()
            except pynvml.NVMLError_LibraryNotFound as error:
                raise NvmlUnavailable("no NVIDIA driver is installed") from error
            except pynvml.NVMLError as error:
                raise NvmlUnavailable(f"the NVIDIA driver does not answer ({error})") from error
            self._library = pynvml
        return self._library

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """The answer, or None where this card or this user gets none."""
        with suppress(self._library.NVMLError):
            return question(*arguments)
        return None


def _text(value: Any) -> str | None:
    """Older releases of the library answer in bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value) if value is not None else None


def _bytes(value: Any) -> int | None:
    return None if value is None or int(value) == _NOT_SET else int(value)


def _pair(numbers: Any) -> tuple[int, int] | None:
    return None if numbers is None else (int(numbers[0]), int(numbers[1]))


def _watts(milliwatts: Any) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _throttled(nvml: Any, mask: int) -> tuple[Throttle, ...]:
    reasons = [
        reason
        for name, reason in _LIMITS
        if any(mask & getattr(nvml, prefix + name, 0) for prefix in _PREFIXES)
    ]
    return tuple(dict.fromkeys(reasons))


def _process_name(pid: int) -> str | None:
    import psutil

    try:
        return str(psutil.Process(pid).name())
    except (psutil.Error, OSError):
        return None
