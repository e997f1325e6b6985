"""A command to give next, with what was typed for this one as far as it means the same there."""

from collections.abc import Iterator

from autotune.base.format import quoted
from autotune.cli.options import SETTINGS, Options
from autotune.cli.setting import Command
from autotune.cli.usage import PROGRAM

OF_ONE_COMMAND = ("explain", "run_dir", "as_json")
"""Options about a command itself: what it shows, and where it keeps its work."""


def next_command(command: Command, options: Options, *further: str) -> str:
    """The line to type for `command`: of `options` those that it has too, then `further` words.

    `options` are as typed; what is only a default is left out, so that it stays one.
    """
    words = [*command.split(), *_typed(command, options), *further]
    return " ".join([PROGRAM, *map(quoted, words)])


def _typed(command: Command, options: Options) -> Iterator[str]:
    for name, setting in SETTINGS.items():
        value = getattr(options, name)
        if value is None or command not in setting.commands or name in OF_ONE_COMMAND:
            continue
        spelled = setting.spelling(name)
        if isinstance(value, bool):
            on, _, off = spelled.partition("/")
            yield on if value else off
            continue
        for each in value if isinstance(value, list) else [value]:
            yield from (spelled, str(each))
