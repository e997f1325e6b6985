"""The declared options as the parameters of commands, which typer reads from a signature."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, cast

import typer

from autotune.cli.options import SETTINGS, Options
from autotune.cli.setting import Command

PLACE = "options"
"""The parameter of a command's function that takes all declared options as one `Options`."""


def with_options(command: Command, function: Callable[..., int]) -> Callable[..., int]:
    """A function that takes the options that are declared for `command` one by one.

    In its signature they stand where `function` has its parameter `options`, among the parameters
    that are its own; those that are declared as `last` stand behind them all.

    Example:
        with_options("profiles list", lambda options: list_command(options.as_json))
    """
    shared = parameters_of(command)
    signature: list[inspect.Parameter] = []
    for name, own in inspect.signature(function).parameters.items():
        among = [p for p in shared if not SETTINGS[p.name].last] if name == PLACE else [own]
        signature += [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in among]
    signature += [p for p in shared if SETTINGS[p.name].last]

    @functools.wraps(function)
    def call(**typed: Any) -> int:
        options = Options.of({p.name: typed.pop(p.name) for p in shared})
        return function(**{PLACE: options}, **typed)

    as_typer_sees = cast(Any, call)
    as_typer_sees.__signature__ = inspect.Signature(signature)
    as_typer_sees.__annotations__ = {p.name: p.annotation for p in signature}
    return call


def parameters_of(command: Command) -> list[inspect.Parameter]:
    """The options that are declared for a command, in the order of their declaration."""
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Option(
                each.default, setting.spelling(each.name), metavar=setting.shown, help=setting.help
            ),
            annotation=each.type,
        )
        for each in fields(Options)
        if command in (setting := SETTINGS[each.name]).commands
    ]
