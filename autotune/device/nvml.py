"""The NVML port over `nvidia-ml-py`: every value that the driver refuses is None."""

from collections.abc import Callable, Iterator
from typing import Any

from autotune.device.memory_figures import UNKNOWN, CardMemory, card_memory, within_card
from autotune.device.nvml_port import Card, CardState, DeviceUser, NvmlUnavailable
from autotune.device.pid_space import counts_as_the_driver
from autotune.protocol.throttle import Throttle

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

_PROCESSES = (
    ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetComputeRunningProcesses_v2"),
    ("nvmlDeviceGetGraphicsRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses_v2"),
)
"""Who computes and who draws; the second name of each is for drivers before 510 (2022)."""

_REFUSALS = ("NOT_SUPPORTED", "NO_PERMISSION", "FUNCTION_NOT_FOUND")
"""Errors of a card that is well and keeps a value to itself; any other one is a card in trouble."""

_RESTART = "restart the computer"


class Nvml:
    """The driver of this machine. Started at the first question, one session a process."""

    def __init__(self, library: Any = None, *, local_pids: bool | None = None) -> None:
        """Ask nothing yet. `library` stands for a `pynvml` that is started already.

        `local_pids` is whether the driver counts processes as we do; None finds out.
        """
        self._library = library
        self._local_pids = counts_as_the_driver() if local_pids is None else local_pids

    def cards(self) -> tuple[Card, ...]:
        """Every card and MIG device; see `NvmlPort`."""
        self._started()
        count = self._count()
        cards = [self._card(index) for index in range(count)]
        slices = [
            self._described(count + at, handle, parent)
            for at, (handle, parent) in enumerate(self._slices(count))
        ]
        return (*cards, *slices)

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        """Processes on a card; see `NvmlPort`."""
        self._started()
        card, _ = self._handle(index)
        if card is None:
            return ()
        total = self._memory(card)[0].total_bytes
        found: dict[int, int | None] = {}
        for names in _PROCESSES:
            for process in self._first(names, card) or ():
                known = found.get(process.pid)
                held = within_card(process.usedGpuMemory, total)
                found[process.pid] = held if known is None else known
        return tuple(self._user(pid, found[pid]) for pid in sorted(found))

    def state(self, index: int) -> CardState:
        """How a card is doing now; see `NvmlPort`. A MIG device is as warm as its card."""
        nvml = self._started()
        device, card = self._handle(index)
        if device is None:
            return CardState(None, None, None, None, None)
        mask = self._first(_REASONS, card)
        return CardState(
            used_bytes=self._memory(device)[0].used_bytes,
            celsius=self._ask(nvml.nvmlDeviceGetTemperature, card, nvml.NVML_TEMPERATURE_GPU),
            watts=_watts(self._ask(nvml.nvmlDeviceGetPowerUsage, card)),
            limit_watts=_watts(self._ask(nvml.nvmlDeviceGetEnforcedPowerLimit, card)),
            throttled=None if mask is None else _throttled(nvml, mask),
        )

    def _count(self) -> int:
        nvml = self._library
        try:
            return int(nvml.nvmlDeviceGetCount())
        except nvml.NVMLError as error:
            raise NvmlUnavailable(
                f"the NVIDIA driver does not report which cards there are ({error})",
                _RESTART,
                is_fault=True,
            ) from error

    def _card(self, index: int) -> Card:
        nvml = self._library
        try:
            card = nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError as error:
            driver = _text(self._ask(nvml.nvmlSystemGetDriverVersion))
            name = f"NVIDIA card {index}"
            return Card(index, name, None, None, None, driver, problem=str(error))
        return self._described(index, card, None)

    def _described(self, index: int, device: Any, parent: int | None) -> Card:
        """A card, or a MIG device of the card `parent`, by its handle."""
        nvml = self._library
        memory, problem = self._memory(device)
        clock = getattr(nvml, "NVML_CLOCK_SM", 1)
        megahertz = self._first(("nvmlDeviceGetMaxClockInfo",), device, clock)
        return Card(
            index=index,
            name=_text(self._ask(nvml.nvmlDeviceGetName, device)) or f"NVIDIA card {index}",
            uuid=_text(self._ask(nvml.nvmlDeviceGetUUID, device)),
            total_bytes=memory.total_bytes,
            free_bytes=memory.free_bytes,
            driver=_text(self._ask(nvml.nvmlSystemGetDriverVersion)),
            capability=_pair(self._ask(nvml.nvmlDeviceGetCudaComputeCapability, device)),
            problem=problem,
            doubt=memory.doubt,
            mig=parent is None and self._in_mig_mode(device),
            parent=parent,
            cores=self._first(("nvmlDeviceGetNumGpuCores",), device),
            clock_hertz=None if megahertz is None else megahertz * 1e6,
        )

    def _memory(self, device: Any) -> tuple[CardMemory, str | None]:
        """The memory figures, and what the driver reports instead where the card is in trouble."""
        nvml = self._library
        try:
            info = nvml.nvmlDeviceGetMemoryInfo(device)
        except nvml.NVMLError as error:
            codes = [getattr(nvml, f"NVML_ERROR_{name}", None) for name in _REFUSALS]
            value = getattr(error, "value", None)
            return UNKNOWN, None if value in codes else str(error)
        return card_memory(int(info.total), int(info.free), int(info.used)), None

    def _handle(self, index: int) -> tuple[Any, Any]:
        """The handle of a card or MIG device and that of its card; None for what is not there."""
        nvml = self._library
        card = self._ask(nvml.nvmlDeviceGetHandleByIndex, index)
        if card is not None:
            return card, card
        count = self._ask(nvml.nvmlDeviceGetCount) or 0
        for at, (handle, parent) in enumerate(self._slices(count)):
            if count + at == index:
                return handle, self._ask(nvml.nvmlDeviceGetHandleByIndex, parent)
        return None, None

    def _slices(self, count: int) -> Iterator[tuple[Any, int]]:
        """The handle of every MIG device and the index of its card, card by card."""
        nvml = self._library
        for index in range(count):
            card = self._ask(nvml.nvmlDeviceGetHandleByIndex, index)
            if card is None or not self._in_mig_mode(card):
                continue
            for at in range(self._ask(nvml.nvmlDeviceGetMaxMigDeviceCount, card) or 0):
                # A slot that nobody has filled is NOT_FOUND; another one behind it may be filled.
                handle = self._ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, card, at)
                if handle is not None:
                    yield handle, index

    def _in_mig_mode(self, card: Any) -> bool:
        ask = getattr(self._library, "nvmlDeviceGetMigMode", None)
        modes = self._ask(ask, card) if ask is not None else None
        return modes is not None and int(modes[0]) == 1

    def _user(self, pid: int, size: int | None) -> DeviceUser:
        if not self._local_pids:
            return DeviceUser(pid, None, size, outside=True)
        return DeviceUser(pid, _process_name(pid), size)

    def _started(self) -> Any:
        if self._library is None:
            import pynvml

            try:
                pynvml.nvmlInit()
            except pynvml.NVMLError as error:
                raise _no_driver(pynvml, error) from error
            self._library = pynvml
        return self._library

    def _first(self, names: tuple[str, ...], *arguments: Any) -> Any:
        """The answer of the first of these functions that the driver knows, None if none does."""
        asked = (getattr(self._library, name, None) for name in names)
        answers = (self._ask(ask, *arguments) for ask in asked if ask is not None)
        return next((answer for answer in answers if answer is not None), None)

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """The answer, or None where this card, this user or this driver gives none."""
        nvml = self._library
        # Not an NVMLError, though it means that the driver lacks a function.
        older = getattr(nvml, "NVMLLibraryMismatchError", nvml.NVMLError)
        try:
            return question(*arguments)
        except (nvml.NVMLError, older):
            return None


def _no_driver(nvml: Any, error: Exception) -> NvmlUnavailable:
    """Why the library did not start, and what to do about it."""
    code, message = getattr(error, "value", None), str(error).rstrip(".")
    if code == nvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return NvmlUnavailable("no NVIDIA driver is installed")
    if code == nvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return NvmlUnavailable(
            f"the NVIDIA driver is installed and does not run ({message})",
            "switch the card on, or reinstall its driver",
        )
    if code == nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
        return NvmlUnavailable(
            f"the NVIDIA driver was updated and the computer not restarted since ({message})",
            _RESTART,
            is_fault=True,
        )
    return NvmlUnavailable(
        f"the NVIDIA driver does not answer ({message})", _RESTART, is_fault=True
    )


def _text(value: Any) -> str | None:
    """Older releases of the library answer in bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value) if value is not None else None


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
