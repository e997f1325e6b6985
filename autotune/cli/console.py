"""Where human text goes: standard output, or standard error when JSON has the first."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.text import Text


def human_console(as_json: bool) -> Console:
    """The console for people. Nothing that they typed is taken for markup."""
    return Console(file=sys.stderr if as_json else sys.stdout, markup=False, highlight=False)


def say_on(console: Console) -> Any:
    """A function that prints one line of plain text."""
    from autotune.base.format import safe
    from autotune.screen.encodable import Encodable

    def say(line: str) -> None:
        console.print(Encodable(Text(safe(line))), soft_wrap=True)

    return say


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output, and nothing else."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
