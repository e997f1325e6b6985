"""The questions put to NVIDIA's management library (NVML), and the shape of its answers.

Asking NVML creates no CUDA context. What the driver does not tell is None, never 0.
"""

from dataclasses import dataclass
from typing import Protocol

from autotune.throttle import Throttle


@dataclass(frozen=True, slots=True)
class DeviceUser:
    """A process that holds memory of a card. `bytes` is None where the driver hides it."""

    pid: int
    name: str | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Card:
    """What NVML says about one card; memory in bytes, `capability` as CUDA counts (8.9: Ada)."""

    index: int
    name: str
    uuid: str | None
    total_bytes: int | None
    free_bytes: int | None
    driver: str | None
    capability: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class CardState:
    """How a card is doing now. `throttled` names why its clock is held down, empty if it is not."""

    used_bytes: int | None
    celsius: int | None
    watts: float | None
    limit_watts: float | None
    throttled: tuple[Throttle, ...] | None


class NvmlUnavailable(Exception):
    """There is no NVIDIA driver to ask, or it does not answer; the text says which."""


class NvmlPort(Protocol):
    """What is asked of the driver. Indices count all cards of the machine from 0."""

    def cards(self) -> tuple[Card, ...]:
        """Every card.

        Raises:
            NvmlUnavailable: no driver, or one that does not answer.
        """

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        """Processes with memory on a card, by pid; empty where the driver does not tell."""

    def state(self, index: int) -> CardState:
        """Memory, temperature, power and throttling of a card at this moment."""
