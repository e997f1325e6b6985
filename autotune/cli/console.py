"""Where human text goes: standard output, or standard error when JSON has the first."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from autotune.cli.notebook import interactive

UNBOUNDED = 10_000
"""Columns of what has no width."""


def human_console(as_json: bool) -> Console:
    """The console for people. Nothing that they typed is taken for markup.

    A pipe or a file has no width: what is printed there is neither broken nor cut.
    """
    return console_on(sys.stderr if as_json else sys.stdout)


def console_on(stream: TextIO) -> Console:
    """The console of a stream; see `human_console`."""
    console = Console(
        file=stream,
        markup=False,
        highlight=False,
        force_interactive=interactive(stream, os.environ),
    )
    if not console.is_terminal:
        console.width = UNBOUNDED
    return console


@dataclass(frozen=True, slots=True)
class Speaker:
    """Prints a line of plain text, and a bar for a download where it can be redrawn."""

    console: Console

    def __call__(self, line: str, style: str = "") -> None:
        """Print the line: on a terminal broken between words, else as one line for a program."""
        for each in self.lines(line):
            self._print(each, style)

    def ask(self, question: str) -> str:
        """The line that is typed after the question, "" where there is no more."""
        *before, last = self.lines(question)
        for each in before:
            self._print(each)
        self._print(f"{last} ", end="")
        return sys.stdin.readline()

    def lines(self, text: str) -> list[str]:
        """The text as it is printed."""
        from autotune.base.format import safe
        from autotune.cli.word_wrap import wrapped

        whole = safe(text)
        return wrapped(whole, self.console.width) if self.console.is_terminal else [whole]

    def _print(self, line: str, style: str = "", end: str = "\n") -> None:
        from autotune.screen.encodable import Encodable

        # soft_wrap: what is too long for a terminal is broken by itself, and copied as one line.
        self.console.print(Encodable(Text(line, style=style)), soft_wrap=True, end=end)

    def download(
        self, title: str, total_bytes: int | None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """A bar on a terminal, a plain line every few seconds elsewhere."""
        from autotune.screen.download import download_bar
        from autotune.screen.redrawing import can_redraw
        from autotune.sources.download import download_lines

        if can_redraw(self.console):
            return download_bar(self.console, title, total_bytes)
        return download_lines(self, title, total_bytes)


def say_on(console: Console) -> Speaker:
    """What prints one line of plain text."""
    return Speaker(console)


def at_work(console: Console, text: str) -> AbstractContextManager[object]:
    """A sign of work below what is printed, on a terminal that can take it back."""
    from autotune.screen.redrawing import can_redraw

    return console.status(text) if can_redraw(console) else nullcontext()


def outgrows(console: Console, *parts: RenderableType) -> bool:
    """Whether these and a line for what is typed next are more lines than a terminal shows."""
    if not console.is_terminal:
        return False
    lines = (len(console.render_lines(part, console.options, pad=False)) for part in parts)
    return sum(lines) + 2 > console.height


def write(text: str) -> None:
    """Foreign text on standard output, with what it cannot show spelled out, at once."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output, and nothing else."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
