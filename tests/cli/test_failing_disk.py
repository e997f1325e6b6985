"""A disk that fails at a file where nobody expects it is no fault of the tool."""

import errno
import os

import pytest

from autotune.base.errors import ExitCode
from autotune.cli.main import run


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EIO, "look after the disk"), (errno.ENOSPC, "free disk space")]
)
def test_a_disk_that_fails_is_one_line_with_the_file_and_the_cause_and_exit_code_4(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    remedy: str,
) -> None:
    def fails(*_: object) -> int:
        raise OSError(number, os.strerror(number), "run/survey.json")

    monkeypatch.setattr("autotune.cli.profiles.list_command", fails)
    assert run(["profiles", "list"]) == ExitCode.ENVIRONMENT
    assert capsys.readouterr().err == (
        f"smolsft-autotune: run/survey.json: cannot be read or written ({os.strerror(number)});"
        f" {remedy}, then run the same command again\n"
    )


def test_another_error_of_a_file_is_still_called_a_fault_of_the_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> int:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "run/nowhere.json")

    monkeypatch.setattr("autotune.cli.profiles.list_command", fails)
    monkeypatch.setattr("autotune.cli.main.keep_trace", lambda error: None)
    assert run(["profiles", "list"]) == ExitCode.INTERNAL
    assert "a bug in the tool" in capsys.readouterr().err
