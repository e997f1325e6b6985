"""The command line that is carried out, for a run's record of what was asked."""

from collections.abc import Sequence
from contextvars import ContextVar

from autotune.base.format import safe
from autotune.cli.usage import command_again

_typed: ContextVar[str] = ContextVar("command_line", default="")


def remember_command(arguments: Sequence[str]) -> None:
    """Keep what was typed, as it is typed again, without the password of a database."""
    _typed.set(safe(command_again(arguments)))


def typed_command() -> str:
    """The command line; empty where something else than the command line called."""
    return _typed.get()
