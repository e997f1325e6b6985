"""The commands in the order in which a person comes to need them, their examples, the greeting."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

from autotune.cli.help_layout import LaidOut, write_rows
from autotune.cli.setting import Command

ORDER = (
    *("doctor", "init", "demo", "inspect", "probe", "run", "watch", "runs", "eval", "chat"),
    *("report", "export", "synth", "worker", "profiles"),
)
"""Of `--help`; what is not named here comes last."""

EXAMPLES: dict[str, str] = {
    "doctor": "doctor",
    "init": "init --yes --model demo --data demo",
    "demo": "demo --toy",
    "inspect": "inspect --data chats.jsonl",
    "probe": "probe --plan --gpu rtx4060-laptop-8gb",
    "run": "run --target 25% --max-hours 8",
    "watch": "watch runs/mine",
    "runs": "runs",
    "chat": "chat runs/mine",
    "export": "export runs/mine --to gguf",
    "eval": "eval runs/mine/best --examples 5",
    "eval compare": "eval compare before.jsonl after.jsonl",
    "report": "report runs/mine",
    "synth": "synth demo --tasks 100 --out practice.jsonl",
    "worker": "worker --storage postgresql://me@host/studies --study first",
    "profiles list": "profiles list",
    "profiles show": "profiles show rtx4060-laptop-8gb",
    "profiles new": "profiles new mine --from this-machine",
    "profiles schema": "profiles schema",
}
"""What is typed after the program's name, by command."""

PROJECT_FILE = "smolsft.toml"
"""`config.project` has it too, and is not loaded for a greeting or for help."""

GREETING = (
    "Finds what fits your GPU, fine-tunes a small chat model on it, and scores it honestly.",
    "Without a GPU, the whole path: smolsft-autotune demo",
    "All commands: smolsft-autotune --help",
)


def example_of(name: Command) -> str | None:
    """The end of a command's help; None where there is no example of it."""
    typed = EXAMPLES.get(name)
    return None if typed is None else f"Example: smolsft-autotune {typed}"


def greeting(has_project: bool) -> tuple[str, ...]:
    """What is said where no command was given: three lines, and the command to give next."""
    after = "inspect" if has_project else "doctor"
    why = "see what smolsft.toml comes to" if has_project else "see whether this machine is ready"
    return (*GREETING, f"next: {why}: smolsft-autotune {after}")


WHOLE = 10_000
"""Characters of a command's line in a list, which is wrapped and never cut."""


class OneCommand(LaidOut, TyperCommand):
    """A command, with help that breaks no word."""


class OrderedGroup(LaidOut, TyperGroup):
    """Lists commands in `ORDER`, and takes two words for a command that is called by two."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands with what each is for, in as many lines as that takes."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, each.get_short_help_str(WHOLE))
            for name, each in commands
            if each is not None and not each.hidden
        ]
        write_rows(formatter, "Commands", rows)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of use."""
        names = super().list_commands(ctx)
        place = {name: at for at, name in enumerate(ORDER)}
        return sorted(names, key=lambda name: place.get(name, len(place)))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """`eval compare` is a command, with a help of its own, beside `eval MODEL`."""
        two = " ".join(args[:2])
        if len(args) > 1 and two in self.commands:
            return two, self.commands[two], args[2:]
        return super().resolve_command(ctx, args)
