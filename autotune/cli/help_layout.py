"""How a command's help is laid out: options beside their texts, or above them on a narrow terminal.

Typer breaks words where a column is narrower than one, and a command where it has a hyphen.
"""

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any

NARROWEST = 52
"""Columns of a terminal below which typer would write help that is wider than it."""

LEAST_TEXT = 26
"""Columns that a text needs beside its label; on a narrower terminal it stands below."""

WIDEST_LABEL = 30
"""Columns of a label beside which a text begins; below a wider one it has a line of its own."""

BESIDE, BELOW = 2, 4
"""Columns between a label and the text beside it, and how much a text below it is indented."""

_TYPES = {"<str>": "NAME", "<path>": "FILE", "<int>": "N", "<float>": "X"}
"""What stands for a value of which only its Python type is known."""

Rows = list[tuple[str, str]]


class LaidOut:
    """What a command of typer's, and a group, write as help. Mixed in before their class."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """As typer's; a narrow terminal has help of its own width, else it has 78 columns."""
        columns = shutil.get_terminal_size().columns
        if columns < NARROWEST:
            more.setdefault("terminal_width", columns - 1)
        return super().make_context(*args, **more)  # type: ignore[misc]

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """How it is called."""
        pieces: list[str] = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]
        for line in lines_of(["Usage:", *ctx.command_path.split(), *pieces], formatter.width, 7):
            formatter.write(f"{line}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options; of a group its commands as well."""
        rows: dict[str, Rows] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):  # type: ignore[attr-defined]
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            argument = parameter.param_type_name == "argument"
            label = re.sub(r" <[\w\[\]]+>$", "", record[0]) if argument else _typed(record[0])
            rows["Arguments" if argument else "Options"].append((label, record[1]))
        for title, found in rows.items():
            if found:
                write_rows(formatter, title, found)
        if hasattr(self, "format_commands"):
            self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The example, a line that can be copied as a whole."""
        epilog: str | None = self.epilog  # type: ignore[attr-defined]
        if not epilog:
            return
        text = inspect.cleandoc(epilog)
        head, _, command = text.partition(": ")
        formatter.write("\n")
        whole = len(text) + 2 <= formatter.width
        for line in [text] if whole else [f"{head}:", command]:
            formatter.write(f"  {line}\n")


def write_rows(formatter: Any, title: str, rows: Rows) -> None:
    """Labels with their texts under a heading, side by side where there is room for that."""
    width: int = formatter.width
    begin = 2 + min(max(len(label) for label, _ in rows), WIDEST_LABEL) + BESIDE
    stacked = width - begin < LEAST_TEXT
    with formatter.section(title):
        for label, text in rows:
            lines = _stacked(label, text, width) if stacked else _beside(label, text, begin, width)
            for line in lines:
                formatter.write(f"{line}\n")


def _beside(label: str, text: str, begin: int, width: int) -> Iterable[str]:
    label = f"  {label}"
    first, *others = lines_of(text.split(), width - begin, 0) or [""]
    if len(label) + BESIDE > begin:
        yield label
        label = ""
    yield f"{label:<{begin}}{first}".rstrip()
    yield from (f"{'':<{begin}}{line}" for line in others)


def _stacked(label: str, text: str, width: int) -> Iterable[str]:
    for line in lines_of(label.split(), width - 2, BELOW):
        yield from (f"  {piece}" for piece in _alternatives(line, width - 2))
    yield from (f"{'':<{BELOW}}{line}" for line in lines_of(text.split(), width - BELOW, 0))


def _alternatives(line: str, columns: int) -> Iterable[str]:
    """A line of a label, broken behind a `|` where it is longer than there are columns."""
    begin = line[: len(line) - len(line.lstrip())]
    piece = ""
    for word in re.findall(r"[^|]+\|?|\|", line):
        if piece and len(piece) + len(word) > columns:
            yield piece
            piece = begin
        piece += word
    yield piece


def lines_of(words: Iterable[str], columns: int, indent: int) -> list[str]:
    """The words in lines of at most so many columns, those after the first indented.

    A word is never broken, neither where it is longer than a line nor at its hyphens.
    """
    return textwrap.wrap(
        " ".join(words),
        columns,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _typed(label: str) -> str:
    """An option's label, with a word in place of a Python type."""
    return re.sub(r"<\w+>$", lambda found: _TYPES.get(found.group(), found.group()), label)
