"""How lines are broken on a terminal: between words, and never inside a command."""

import io
import re

import pytest
from rich.console import Console, Group
from rich.text import Text

from autotune.base.errors import ExitCode
from autotune.chat.talk import COMMANDS
from autotune.cli.chat import teller
from autotune.cli.console import human_console, say_on
from autotune.cli.help import EXAMPLES, ORDER
from autotune.cli.main import run
from autotune.cli.word_wrap import wrapped
from autotune.screen.encodable import Encodable
from autotune.screen.layout import Section, plain_table

INSTALL = "python -m pip install torch --index-url https://download.pytorch.org/whl/cu130"
NEXT = "smolsft-autotune probe --model ./my-model --data chats.jsonl"
LINES = [
    "--max-new-tokens 32: 2 of 24 prompts ask for more words than fit, up to about 82 tokens",
    f"next: mend that, then {NEXT}",
    f"-> close other programs; replace it with: {INSTALL} (or work on the CPU: --device cpu)",
    "left; to see it again: smolsft-autotune watch 'my; runs/one'",
    "  model ./none: no such folder; give a model folder, a hub id, demo or toy",
]


@pytest.mark.parametrize("columns", [120, 80, 40, 20])
@pytest.mark.parametrize("text", LINES)
def test_a_line_is_broken_between_words_and_a_command_is_kept_whole(
    text: str, columns: int
) -> None:
    lines = wrapped(text, columns)
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    for command in (INSTALL, NEXT, "smolsft-autotune watch 'my; runs/one'"):
        if command in text:
            assert sum(command in line for line in lines) == 1
    prose = [line for line in lines if "smolsft" not in line and "python" not in line]
    assert all(len(line) <= columns or " " not in line.strip() for line in prose)
    indent = len(text) - len(text.lstrip())
    assert all(line.startswith(" " * indent) for line in lines)


def test_wide_characters_count_for_the_columns_that_they_take() -> None:
    assert wrapped("模型 模型 模型", 9) == ["模型 模型", "模型"]


@pytest.mark.parametrize(("terminal", "count"), [(True, 3), (False, 1)])
def test_a_line_is_broken_on_a_terminal_only(terminal: bool, count: int) -> None:
    file = io.StringIO()
    say_on(Console(file=file, width=40, force_terminal=terminal, _environ={}))(LINES[0])
    assert len(file.getvalue().splitlines()) == count


def test_an_error_on_a_terminal_is_broken_between_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("autotune.cli.streams.GuardedStream.isatty", lambda _: True, raising=False)
    run(["run", "--tagret", "0.3"])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1 and max(map(len, lines)) <= 40
    assert " ".join(lines).startswith("smolsft-autotune: --tagret: run has no such option; did you")


@pytest.mark.parametrize("columns", [120, 80, 60, 40])
@pytest.mark.parametrize("group", [[], ["profiles"]])
def test_help_lists_what_every_command_is_for_in_full_at_any_width(
    group: list[str],
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    run([*group, "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= columns
    assert "..." not in text.partition("Commands:")[2] and "…" not in text
    said = " ".join(text.split())
    ends = ["for editors that check TOML by one."] if group else ["data, target, hours.", "tool."]
    assert all(end in said for end in ends)


EVERY = sorted({*ORDER, *EXAMPLES})


@pytest.mark.parametrize("name", EVERY)
def test_no_help_breaks_a_word_or_a_command_on_a_narrow_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []
    for columns in (200, 40):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert run([*name.split(), "--help"]) == ExitCode.DONE
        pages.append(capsys.readouterr().out)
    narrow = pages[1]
    words = [re.sub(r"\|\s+", "|", page).split() for page in pages]  # a list of choices may break
    assert words[0] == words[1]
    example = f"smolsft-autotune {EXAMPLES.get(name, name)}"
    others = [line for line in narrow.splitlines() if not line.endswith(example)]
    assert max(map(len, others)) <= 40
    assert len(others) < len(narrow.splitlines()) or name not in EXAMPLES
    assert not re.search(r"<(str|path|int|float|list.*)>", narrow)  # of Python, not of a person


@pytest.mark.parametrize("columns", [80, 40])
def test_the_greeting_keeps_within_a_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a terminal
    run([])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= columns


@pytest.mark.parametrize(("columns", "lines"), [(120, 4), (40, 9)])
def test_the_commands_of_a_talk_keep_within_a_terminal_with_their_meanings_aligned(
    columns: int, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a terminal
    tell = teller()
    for name, meaning in COMMANDS.items():
        tell(meaning, label=name)
    told = Text.from_ansi(capsys.readouterr().err).plain.splitlines()
    assert len(told) == lines and max(map(len, told)) <= columns
    inside = [line for line in told if not line.startswith("/")]
    if columns == 40:
        assert all(line.startswith("  ") and line[2] != " " for line in inside)
    else:
        assert {line.index(meaning) for line, meaning in zip(told, COMMANDS.values(), strict=True)}


@pytest.mark.parametrize("columns", ["40", "80"])
def test_what_goes_into_a_pipe_has_no_width_and_is_neither_broken_nor_cut_nor_framed(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    sentence = "a sentence of many words, " * 20
    table = plain_table()
    table.add_column("name")
    table.add_row("x" * 150)
    for as_json in (False, True):
        human_console(as_json).print(Encodable(Section("plan", Group(Text(sentence), table))))
    captured = capsys.readouterr()
    for printed in captured:
        lines = [line.rstrip() for line in printed.splitlines()]
        assert lines[0] == "plan" and lines[1] == sentence.rstrip() and lines[-1] == "x" * 150
