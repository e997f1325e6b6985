"""The program and what makes a function a command of it: its options, its example, its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from autotune.cli.help import PROJECT_FILE, OneCommand, OrderedGroup, example_of, greeting
from autotune.cli.parameters import with_options
from autotune.cli.setting import Command

app = typer.Typer(
    name="smolsft-autotune",
    help="Find what fits your GPU, fine-tune a small chat model on it, and score it honestly.",
    cls=OrderedGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
profiles_app = typer.Typer(
    help="The profiles that come with the tool, and new ones.",
    cls=OrderedGroup,
    invoke_without_command=True,
    rich_markup_mode=None,
)
app.add_typer(profiles_app, name="profiles")


@app.callback(invoke_without_command=True)
def common(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Options before a command."""
    if show_version:
        from importlib.metadata import version  # takes as long to load as all of typer

        typer.echo(f"smolsft-autotune {version('smolsft-autotune')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        from autotune.cli.console import human_console, say_on

        say = say_on(human_console(as_json=False))
        for line in greeting(has_project=Path(PROJECT_FILE).exists()):
            say(line)


@profiles_app.callback()
def profiles(context: typer.Context) -> None:
    """The profiles that come with the tool, and new ones."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def command(name: Command) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a function a command, with the options that are declared for it (`with_options`).

    One that is called by two words, such as `eval compare`, is named in the help of the first.
    """
    group, _, last = name.rpartition(" ")
    owner, word = (profiles_app, last) if group == "profiles" else (app, name)
    hidden = bool(group) and owner is app
    added = owner.command(word, cls=OneCommand, epilog=example_of(name), hidden=hidden)
    return lambda function: added(with_options(name, function))
