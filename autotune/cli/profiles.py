"""`profiles list`, `show`, `new` and `schema`."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from autotune.base.errors import BadInput, ExitCode
from autotune.base.files import write_text_atomic
from autotune.cli.console import human_console, print_json, say_on, write
from autotune.cli.next_command import next_command
from autotune.cli.options import Options
from autotune.cli.word_wrap import labelled, text_column
from autotune.config.load import (
    find_profile,
    list_profiles,
    parse_profile,
    pick_profile,
    profile_names,
    profile_path,
)
from autotune.config.new_profile import headed, machine_lines, renamed, with_machine
from autotune.config.profile import Profile
from autotune.device.find import find_device

NARROWEST = 30
"""Columns that a title needs beside the names; on a narrower terminal it stands below its name."""

THIS_MACHINE = "this-machine"

NAME_RULE = "must be 1 to 60 of a-z, 0-9, dot, dash and underscore, a letter or digit first"


def list_command(as_json: bool) -> int:
    """Print the names and titles of the profiles that come with the tool."""
    profiles = list_profiles()
    if as_json:
        rows = [{"name": p.name, "title": p.title} for p in profiles]
        typer.echo(json.dumps({"profiles": rows}))
    else:
        console = human_console(as_json)
        for line in list_lines(profiles, console.width if console.is_terminal else None):
            typer.echo(line)
    return 0


def list_lines(profiles: Sequence[Profile], columns: int | None) -> Iterator[str]:
    """A line a profile; on a terminal of so many columns as many as its title takes."""
    begin = max(len(p.name) for p in profiles) + 2
    for profile in profiles:
        if columns is None:
            yield f"{profile.name:<{begin}}{profile.title}"
            continue
        at = text_column(columns, begin, NARROWEST)
        yield from labelled(profile.name, profile.title, columns, at)


def show_command(name: str, as_json: bool) -> int:
    """Print one profile: the file with its comments, or its values as JSON."""
    profile = find_profile(name)
    if as_json:
        print_json(profile.model_dump(mode="json"))
    else:
        write(profile_path(name).read_text(encoding="utf-8-sig"))
    return 0


def new_command(name: str, source: str, options: Options, *, overwrite: bool) -> int:
    """Write `NAME.toml`, a copy of a profile with its comments, or of the one for this machine.

    Raises:
        BadInput: a name that no profile may have, or a file that is there.
        EnvironmentFault: what this machine has cannot be found out.
    """
    name = name.removesuffix(".toml")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,59}", name):
        raise BadInput(f"profiles new {name}: {NAME_RULE}")
    if name in profile_names():
        raise BadInput(f"profiles new {name}: comes with the tool; give another name")
    path = Path(f"{name}.toml")
    if path.exists() and not overwrite:
        raise BadInput(f"{path}: is there already; give another name, or add --overwrite")
    text = text_like(source, name, options.device or "auto")
    profile = parse_profile(text, path)
    write_text_atomic(path, text)
    say = say_on(human_console(options.as_json))
    say(f"{path} written, from {source}: {profile.title}")
    say(f"next: {next_command('probe', Options(profile=str(path)))}")
    if options.as_json:
        print_json({"file": str(path.absolute()), "name": name, "from": source})
    return ExitCode.DONE


def text_like(source: str, name: str, choice: str) -> str:
    """The text of the new profile."""
    if source.lower() != THIS_MACHINE:
        base = find_profile(source)
        text = profile_path(source).read_text(encoding="utf-8-sig")
        return renamed(text, name, f"{base.title} (a copy)")
    device = find_device(choice)
    base_name = pick_profile(device)
    base = find_profile(base_name)
    text = profile_path(base_name).read_text(encoding="utf-8-sig")
    lines = machine_lines(device, choice, base.machine.reserve)
    precision = json.loads(lines["precision"].value)
    text = headed(text, f"{device.name}, as it was found; the rest is {base_name}'s.")
    return with_machine(renamed(text, name, f"{device.name}, {precision}"), lines)


def schema_command(as_json: bool) -> int:
    """Print the JSON schema of a profile, for editors that check TOML by one."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Profile.model_json_schema(by_alias=True),
    }
    typer.echo(json.dumps(schema, indent=None if as_json else 2))
    return ExitCode.DONE
