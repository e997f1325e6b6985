"""The commands about this machine and this folder: `doctor`, `init`, `profiles`."""

from typing import Annotated

import typer

from autotune.cli.command import command
from autotune.cli.first_line import first_line
from autotune.cli.options import Options
from autotune.cli.target import Target

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the file where it is there already.")
]


@command("doctor")
def doctor(options: Options) -> int:
    """Look at this machine: torch, card, memory, disk, hub, scorer; what mends what is amiss."""
    first_line("looking at this machine", as_json=options.as_json)
    from autotune.cli.doctor import doctor_command

    return doctor_command(options)


@command("init")
def init(
    *,
    options: Options,
    target: Target = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take the defaults.")] = False,
    overwrite: Overwrite = False,
) -> int:
    """Write smolsft.toml for this folder, after four questions: model, data, target, hours."""
    from autotune.cli.init import InitRequest, init_command

    return init_command(options, InitRequest(yes, overwrite, target))


@command("profiles list")
def profiles_list(options: Options) -> int:
    """Names and titles."""
    from autotune.cli.profiles import list_command

    return list_command(options.as_json)


@command("profiles show")
def profiles_show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")], options: Options
) -> int:
    """One profile as it is on disk."""
    from autotune.cli.profiles import show_command

    return show_command(name, options.as_json)


@command("profiles new")
def profiles_new(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the profile; also its file's.")],
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="this-machine|NAME|FILE", help="What it is a copy of, or measured on."
        ),
    ] = "this-machine",
    options: Options,
    overwrite: Overwrite = False,
) -> int:
    """Write NAME.toml: a commented profile with this machine's budget, precision and device."""
    from autotune.cli.profiles import new_command

    return new_command(name, source, options, overwrite=overwrite)


@command("profiles schema")
def profiles_schema(options: Options) -> int:
    """Print the JSON schema of a profile, for editors that check TOML by one."""
    from autotune.cli.profiles import schema_command

    return schema_command(options.as_json)
