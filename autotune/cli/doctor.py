"""`doctor`: what of this machine helps or hinders, a line each, with what mends it."""

from collections.abc import Iterator
from pathlib import Path

from autotune.base.errors import ExitCode
from autotune.base.format import counted
from autotune.cli.console import at_work, human_console, print_json, say_on
from autotune.cli.device import asked_device, budget_giver, chosen_profile
from autotune.cli.next_command import next_command
from autotune.cli.options import Options
from autotune.cli.word_wrap import labelled, text_column, wrapped
from autotune.config.project import PROJECT_FILE
from autotune.doctor.examine import findings
from autotune.doctor.finding import Examination, Finding
from autotune.doctor.machine import look

INDENT = 18
"""Columns of state and check, before the fact."""

NARROWEST = 30
"""Columns that a fact needs beside them; a narrower terminal has it below."""


def doctor_command(options: Options) -> int:
    """`doctor`; exit 4 where something is in the way of the work, else 0."""
    console = human_console(options.as_json)
    profile = chosen_profile(options, computes=False)
    machine = look(
        profile,
        asked_device(options, profile),
        budget_giver=budget_giver(options, profile.name),
        encoding=console.encoding,
    )
    say = say_on(console)
    shown = []
    with at_work(console, "torch is loaded, in a process of its own"):
        for finding in findings(machine):
            shown.append(finding)
            for line in lines_of(finding, console.width):
                say(line)
            console.file.flush()  # in a pipe too the first findings are there at once
    found = Examination(profile=profile.name, findings=tuple(shown))
    for line in ending(found, options):
        say(line)
    if options.as_json:
        print_json(
            found.model_dump(mode="json") | {"blocks": [each.check for each in found.blocks]}
        )
    return ExitCode.ENVIRONMENT if found.blocks else ExitCode.DONE


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
    begun = Path(PROJECT_FILE).exists()
    yield f"next: {next_command('inspect' if begun else 'init', options)}"
