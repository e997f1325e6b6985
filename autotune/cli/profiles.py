"""`profiles list` and `profiles show`."""

import json

import typer

from autotune.config.load import find_profile, list_profiles, profile_path


def list_command(as_json: bool) -> int:
    """Print the names and titles of the profiles that come with the tool."""
    profiles = list_profiles()
    if as_json:
        rows = [{"name": p.name, "title": p.title} for p in profiles]
        typer.echo(json.dumps({"profiles": rows}))
    else:
        width = max(len(p.name) for p in profiles)
        for profile in profiles:
            typer.echo(f"{profile.name:<{width}}  {profile.title}")
    return 0


def show_command(name: str, as_json: bool) -> int:
    """Print one profile: the file with its comments, or its values as JSON."""
    profile = find_profile(name)
    if as_json:
        typer.echo(profile.model_dump_json())
    else:
        typer.echo(profile_path(name).read_text(encoding="utf-8-sig"), nl=False)
    return 0
