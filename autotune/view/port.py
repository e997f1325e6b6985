"""The port between a use case and whoever watches: three methods, and what a device sample is."""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from autotune.events import Record


@dataclass(frozen=True, slots=True)
class DeviceSample:
    """The device at one moment. None stands for what the driver does not tell: shown as n/a."""

    used_bytes: int | None
    limit_bytes: int
    temperature_c: float | None = None
    power_watts: float | None = None
    limit_watts: float | None = None
    held_down_by: tuple[str, ...] = ()
    on_battery: bool | None = None
    note: str = ""


class View(Protocol):
    """Watches a run as a context manager; told of each record once the state holds it."""

    def __enter__(self) -> Self:
        """Begin to watch."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop and leave the terminal as it was found; an error goes on its way."""
        ...

    def on_record(self, record: Record) -> None:
        """See one record, in order."""
        ...
