"""What is noticed while one record is read."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Remarks:
    """Sentences about a record that is kept, each once; true for those that warn."""

    said: dict[str, bool] = field(default_factory=dict)

    def say(self, what: str, *, warning: bool = False) -> None:
        """Something a person should know of this record."""
        self.said.setdefault(what, warning)
