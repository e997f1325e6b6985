"""`doctor`: what of this machine helps or hinders, a line each, with what mends it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console

from autotune.base.errors import ExitCode
from autotune.base.format import counted
from autotune.cli.console import human_console, print_json, say_on
from autotune.cli.device import asked_device, chosen_profile
from autotune.cli.next_command import next_command
from autotune.cli.options import Options
from autotune.cli.word_wrap import labelled, text_column, wrapped
from autotune.doctor.examine import examine
from autotune.doctor.finding import Examination, Finding
from autotune.doctor.machine import look
from autotune.screen.redrawing import can_redraw

INDENT = 18
"""Columns of state and check, before the fact."""

NARROWEST = 30
"""Columns that a fact needs beside them; a narrower terminal has it below."""


def doctor_command(options: Options) -> int:
    """`doctor`; exit 4 where something is in the way of the work, else 0."""
    console = human_console(options.as_json)
    profile = chosen_profile(options, computes=False)
    choice, encoding = asked_device(options, profile), console.encoding
    with waiting(console):
        found = examine(look(profile, choice, encoding=encoding))
    say = say_on(console)
    for finding in found.findings:
        for line in lines_of(finding, console.width):
            say(line)
    for line in ending(found, options):
        say(line)
    if options.as_json:
        print_json(
            found.model_dump(mode="json") | {"blocks": [each.check for each in found.blocks]}
        )
    return ExitCode.ENVIRONMENT if found.blocks else ExitCode.DONE


def waiting(console: Console) -> AbstractContextManager[object]:
    """A sign of work on a terminal that can take it back."""
    if not can_redraw(console):
        return nullcontext()
    return console.status("looking at this machine; torch is loaded, in a process of its own")


def lines_of(finding: Finding, width: int) -> Iterator[str]:
    """A finding as it is shown: state, check and fact, and the remedy below.

    A command in it stays in one piece, to be copied.
    """
    head = f"{finding.state.value:<7}{finding.check:<{INDENT - 7}}"
    indent = text_column(width, INDENT, NARROWEST)
    yield from labelled(head, finding.fact, width, indent)
    if finding.remedy is not None:
        for line in wrapped(f"-> {finding.remedy}", width - indent, "   "):
            yield " " * indent + line


def ending(found: Examination, options: Options) -> Iterator[str]:
    """What it comes to, and the command after."""
    yield ""
    if found.blocks:
        names = ", ".join(each.check for each in found.blocks)
        yield f"{counted(len(found.blocks), 'finding')} in the way: {names}"
        yield f"next: mend that, then {next_command('doctor', options)}"
        return
    yield f"nothing is in the way of profile {found.profile}"
    yield f"next: {next_command('init', options)}"
