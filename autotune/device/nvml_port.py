"""The questions put to NVIDIA's management library (NVML), and the shape of its answers.

Asking NVML creates no CUDA context. What the driver does not report, or reports in figures that
cannot be, is None, never 0.
"""

from dataclasses import dataclass
from typing import Protocol

from autotune.protocol.throttle import Throttle


@dataclass(frozen=True, slots=True)
class DeviceUser:
    """A process that holds memory of a card. `bytes` is None where the driver hides it.

    `outside` is whether `pid` is counted by the host of this container: no process here has it,
    so it is unknown whether it is another program or one of ours, and `name` is None.
    """

    pid: int
    name: str | None
    bytes: int | None
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """What NVML reports of a card or a MIG device; memory in bytes.

    `capability` counts as CUDA does (8.9: Ada). `problem` is the driver's answer for a card that
    it cannot be asked about ("GPU is lost"), `doubt` a sentence on figures that cannot be. `mig` is
    a card in MIG mode: CUDA computes on its MIG devices only, and `parent` is a MIG device's card.
    `cores` are CUDA cores, `clock_hertz` the highest clock that they may have.
    """

    index: int
    name: str
    uuid: str | None
    total_bytes: int | None
    free_bytes: int | None
    driver: str | None
    capability: tuple[int, int] | None = None
    problem: str | None = None
    doubt: str | None = None
    mig: bool = False
    parent: int | None = None
    cores: int | None = None
    clock_hertz: float | None = None


@dataclass(frozen=True, slots=True)
class CardState:
    """How a card is doing now. `throttled` names why its clock is held down, empty if it is not."""

    used_bytes: int | None
    celsius: int | None
    watts: float | None
    limit_watts: float | None
    throttled: tuple[Throttle, ...] | None


class NvmlUnavailable(Exception):
    """There is no NVIDIA driver to ask, or it does not answer; the text is which.

    `remedy` is what a person can do about it. `is_fault` is whether a driver runs here, so most
    likely a card is there too: it must not be passed over as if there was none.
    """

    def __init__(
        self, text: str, remedy: str = "install the NVIDIA driver", *, is_fault: bool = False
    ) -> None:
        super().__init__(text)
        self.remedy = remedy
        self.is_fault = is_fault


class NvmlPort(Protocol):
    """What is asked of the driver.

    Indices count all cards of the machine from 0, and after them the MIG devices, card by card.
    """

    def cards(self) -> tuple[Card, ...]:
        """Every card, then every MIG device.

        Raises:
            NvmlUnavailable: no driver, or one that does not answer.
        """

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        """Processes with memory on a card, by pid; empty where the driver does not report them."""

    def state(self, index: int) -> CardState:
        """Memory, temperature, power and throttling of a card at this moment."""
