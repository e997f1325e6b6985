"""The declared options as the parameters of commands, which typer reads from a signature."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import typer

from autotune.base.home import from_home
from autotune.cli.options import SETTINGS, Options
from autotune.cli.setting import BY_PROFILE, Command

PLACE = "options"
"""The parameter of a command's function that takes all declared options as one `Options`."""


def with_options(command: Command, function: Callable[..., int]) -> Callable[..., int]:
    """A function that takes the options that are declared for `command` one by one.

    In its signature they stand where `function` has its parameter `options`, among the parameters
    that are its own; those that are declared as `last` stand behind them all. In every path that
    was typed `~` is the home.

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
        typed = {
            n: from_home(each) if isinstance(each, Path) else each for n, each in typed.items()
        }
        options = Options.of({p.name: typed.pop(p.name) for p in shared})
        if command in BY_PROFILE:
            options = beside_project(options)
        return function(**{PLACE: options}, **typed)

    as_typer_sees = cast(Any, call)
    as_typer_sees.__signature__ = inspect.Signature(signature)
    as_typer_sees.__annotations__ = {p.name: p.annotation for p in signature}
    return call


def beside_project(options: Options) -> Options:
    """The options with the `smolsft.toml` of the current folder, where there is one.

    A command that takes a profile heeds it; what else there is (a report, a worker of a study whose
    settings another machine gave) does not.
    """
    if not Path("smolsft.toml").exists():
        return options
    from autotune.config.project import read_project

    return replace(options, project=read_project(Path()))


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
        if (setting := SETTINGS.get(each.name)) is not None and command in setting.commands
    ]
