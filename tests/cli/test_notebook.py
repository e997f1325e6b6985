"""In a cell of a notebook nothing is drawn over: what is drawn there stays, frame by frame."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from autotune.cli.console import human_console
from autotune.run.state import StudyState
from autotune.screen import LiveView, PlainView, make_view
from tests.screens import SAMPLE

KERNEL = {"TERM": "xterm-color", "CLICOLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat"}
"""What ipykernel 6 and 7 give to the command of a cell; 7 adds FORCE_COLOR."""


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a terminal of a person, wherever the tests run."""
    for name in (
        *("JPY_PARENT_PID", "FORCE_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE", "NO_COLOR"),
        *KERNEL,
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A terminal as `!command` has one, of no size at all in Colab."""
    pty = pytest.importorskip("pty")  # not on Windows, where a cell's command has pipes
    controlling, shown = pty.openpty()
    with open(shown, "w", encoding="utf-8") as stream:
        yield stream
    os.close(controlling)


def view_on(stream: TextIO, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(sys, "stdout", stream)
    return make_view(human_console(as_json=False), lambda: 0.0, StudyState, lambda: SAMPLE)


def test_a_terminal_gets_the_live_screen(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(view_on(terminal, monkeypatch), LiveView)


@pytest.mark.parametrize("given", [{"JPY_PARENT_PID": "77"}, KERNEL], ids=["Jupyter", "a kernel"])
def test_a_cell_of_a_notebook_gets_plain_lines_though_it_is_a_terminal(
    terminal: TextIO, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert isinstance(view_on(terminal, monkeypatch), PlainView)
    assert human_console(as_json=False).is_terminal, "colours stay"


def test_a_file_gets_plain_lines_where_colours_are_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with (tmp_path / "lines.txt").open("w", encoding="utf-8") as stream:
        assert isinstance(view_on(stream, monkeypatch), PlainView)


@pytest.mark.parametrize(("chosen", "view"), [("1", LiveView), ("0", PlainView)])
def test_a_person_decides_by_the_variable_of_rich(
    terminal: TextIO, chosen: str, view: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_PARENT_PID" if chosen == "1" else "HOME_OF_NOBODY", "77")
    monkeypatch.setenv("TTY_INTERACTIVE", chosen)
    assert isinstance(view_on(terminal, monkeypatch), view)


def test_a_picture_is_drawn_where_a_notebook_names_a_backend_that_is_not_installed() -> None:
    code = (
        "from autotune.report.chart import Picture, draw_png\n"
        "png = draw_png(Picture('a', 'A', 'a', 'a', lambda axes, tones: None))\n"
        "assert png.startswith(b'\\x89PNG')"
    )
    given = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
