"""An NVML of cards made up by the caller, for tests and for trying the tool without a card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autotune.device.nvml_port import Card, CardState, DeviceUser, NvmlUnavailable


@dataclass(frozen=True)
class FakeNvml:
    """Answers with what it was given; `problem` makes it a machine without a working driver.

    With `is_fault` there is a driver, and it does not answer.
    """

    given: Sequence[Card] = ()
    given_users: Mapping[int, Sequence[DeviceUser]] = field(default_factory=dict)
    given_state: Mapping[int, CardState] = field(default_factory=dict)
    problem: str | None = None
    is_fault: bool = False

    def cards(self) -> tuple[Card, ...]:
        """The given cards; see `NvmlPort`."""
        if self.problem is not None:
            raise NvmlUnavailable(self.problem, is_fault=self.is_fault)
        return tuple(self.given)

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        """The given users of a card; see `NvmlPort`."""
        return tuple(self.given_users.get(index, ()))

    def state(self, index: int) -> CardState:
        """The given state of a card, else all unknown; see `NvmlPort`."""
        return self.given_state.get(index, CardState(None, None, None, None, None))
