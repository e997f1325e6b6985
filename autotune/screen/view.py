"""The port between a use case and whoever watches: three methods."""

from types import TracebackType
from typing import Protocol, Self

from autotune.protocol.events import Record


class View(Protocol):
    """Watches a run as a context manager; given each record once the state holds it."""

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
