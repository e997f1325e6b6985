"""Where human text goes: standard output, or standard error when JSON has the first."""

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text


def human_console(as_json: bool) -> Console:
    """The console for people. Nothing that they typed is taken for markup."""
    return Console(file=sys.stderr if as_json else sys.stdout, markup=False, highlight=False)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Prints a line of plain text, and a bar for a download where it can be redrawn."""

    console: Console

    def __call__(self, line: str) -> None:
        """Print the line."""
        from autotune.base.format import safe
        from autotune.screen.encodable import Encodable

        self.console.print(Encodable(Text(safe(line))), soft_wrap=True)

    def download(
        self, title: str, total_bytes: int | None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """A bar on a terminal, a plain line every few seconds elsewhere."""
        from autotune.screen.download import download_bar
        from autotune.sources.download import download_lines

        if self.console.is_terminal and not self.console.is_dumb_terminal:
            return download_bar(self.console, title, total_bytes)
        return download_lines(self, title, total_bytes)


def say_on(console: Console) -> Speaker:
    """What prints one line of plain text."""
    return Speaker(console)


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output, and nothing else."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
