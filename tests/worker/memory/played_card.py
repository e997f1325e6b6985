"""A card as the driver tells of it, set by a test: what is in use, and who uses it."""

from dataclasses import dataclass, field

from autotune.device.nvml_port import Card, CardState, DeviceUser, NvmlUnavailable
from tests.worker.memory.memory_contract import MIB

UUID = "GPU-0d1a2b3c-0000-0000-0000-000000000001"


@dataclass
class PlayedNvml:
    """An NVML whose answers change; sizes in MiB. `asked` counts questions about what is in use."""

    used: int | None = 1000
    users: dict[int, int | None] = field(default_factory=dict)
    uuids: tuple[str, ...] = (UUID,)
    gone: bool = False
    asked: int = 0

    def cards(self) -> tuple[Card, ...]:
        if self.gone:
            raise NvmlUnavailable("no NVIDIA driver is installed")
        return tuple(
            Card(at, "RTX 4060", uuid, 8188 * MIB, None, "555")
            for at, uuid in enumerate(self.uuids)
        )

    def state(self, index: int) -> CardState:
        self.asked += 1
        used = None if self.used is None else self.used * MIB
        return CardState(used if index == 0 else 77 * MIB, None, None, None, None)

    def users_of(self, index: int) -> tuple[DeviceUser, ...]:
        return tuple(
            DeviceUser(pid, None, None if held is None else held * MIB)
            for pid, held in (self.users.items() if index == 0 else ())
        )


@dataclass
class Port:
    """`PlayedNvml` by the names of the port."""

    played: PlayedNvml

    def cards(self) -> tuple[Card, ...]:
        return self.played.cards()

    def users(self, index: int) -> tuple[DeviceUser, ...]:
        return self.played.users_of(index)

    def state(self, index: int) -> CardState:
        return self.played.state(index)
