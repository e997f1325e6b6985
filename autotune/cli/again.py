"""The command that goes on after an interrupt, as it is typed in this shell."""

from collections.abc import Sequence
from pathlib import Path

from autotune.cli.usage import PROGRAM
from autotune.figures import quoted


def command_again(arguments: Sequence[str], folder: Path | None = None) -> str:
    """The same command; `folder` names the run to go on with, where the command did not."""
    words = [PROGRAM, *map(quoted, arguments)]
    named = any(word == "--run-dir" or word.startswith("--run-dir=") for word in arguments)
    if folder is not None and not named:
        words += ["--run-dir", quoted(str(folder))]
    return " ".join(words)
