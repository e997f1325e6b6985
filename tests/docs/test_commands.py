"""README.md and docs/: every command and option that they show is one of the program."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from autotune.cli.app import app
from autotune.cli.main import run
from tests.docs.pages import DOCS, page

PROGRAM = typer.main.get_command(app)

ROOT = DOCS.parent
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "autotune" / "demo" / "README.md"),
    *sorted(set(DOCS.glob("*.md")) - {DOCS / "LOG.md"}),
    DOCS / "proof" / "README.md",
]
"""Without the log, which tells of options that there were, and reports, which runs wrote."""

FOREIGN = {
    *("--index-url", "--extra-index-url"),  # pip
    *("--repo-type", "--include", "--local-dir"),  # hf
    *("--dist", "--model_args", "--tasks", "--include_path", "--log_samples"),  # pytest, lm_eval
    *("--given", "--minutes", "--only", "--part", "--rehearse"),  # scripts in benchmarks/
}
"""Of other programs and scripts, where a page shows one of their commands."""


def commands_of(
    command: Any, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Each command by its words, and its options. What typer builds them of is its own."""
    spelled = {
        name
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    yield names, spelled | {"--help"}
    for name, below in getattr(command, "commands", {}).items():
        yield from commands_of(below, (*names, name))


COMMANDS = dict(commands_of(PROGRAM))


def shown(text: str) -> Iterator[str]:
    """The command lines of this program on a page, without what follows in a pipe or comment."""
    spans = re.findall(r"`(smolsft-autotune [^`]+)`", text)
    lines = re.findall(r"^\s*(?:\$ )?(smolsft-autotune .+)$", text, re.MULTILINE)
    for line in [*spans, *lines]:
        yield re.split(r"\s{2,}|[|;&]| #|`", " ".join(line.split("\n")))[0]


def called(line: str) -> tuple[tuple[str, ...], set[str]]:
    """The command that a line gives, and the options that it gives it."""
    names = tuple[str, ...]()
    for word in line.split()[1:]:
        if (*names, word) not in COMMANDS:
            break
        names = (*names, word)
    return names, set(re.findall(r"(?<![\w-])(--[a-z][a-z_-]*)", line))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_shows_options_that_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for line in shown(text):
        names, options = called(line)
        assert options <= COMMANDS[names], f"{line}: {options - COMMANDS[names]}"
    known = FOREIGN.union(*COMMANDS.values())
    assert not (unknown := set(re.findall(r"`(--[a-z][a-z_-]*)", text)) - known), unknown


def test_the_commands_of_a_page_are_found_with_their_options() -> None:
    text = "`smolsft-autotune profiles new A --from B`, or\n\nsmolsft-autotune run --seed 3  (x)\n"
    found = [called(line) for line in shown(text)]
    assert found == [(("profiles", "new"), {"--from"}), (("run",), {"--seed"})]


def test_the_help_that_a_page_shows_is_the_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["--help"]) == 0
    said = capsys.readouterr().out.strip().splitlines()
    (block,) = re.findall(r"<!-- screen: help-40 -->\n```\n(.*?)\n```", page("screens.md"), re.S)
    assert [line.rstrip() for line in said] == block.strip().splitlines()
