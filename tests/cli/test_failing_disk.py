"""A disk that fails at a file where nobody expects it is no fault of the tool."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.cli.main import run


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EIO, "look after the disk"),
        (errno.ENOSPC, "free disk space"),
        (errno.EACCES, "see to its permissions"),
        (errno.EPERM, "see to its permissions"),
    ],
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


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "run/nowhere.json"),
        PermissionError(errno.EPERM, os.strerror(errno.EPERM)),  # as of another user's process
    ],
)
def test_another_error_of_the_system_is_still_called_a_fault_of_the_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError
) -> None:
    def fails(*_: object) -> int:
        raise error

    monkeypatch.setattr("autotune.cli.profiles.list_command", fails)
    monkeypatch.setattr("autotune.cli.main.keep_trace", lambda error: None)
    assert run(["profiles", "list"]) == ExitCode.INTERNAL
    assert "a bug in the tool" in capsys.readouterr().err


@pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="what may not be looked at is said to be not there"
)
@pytest.mark.parametrize(
    "line",
    [
        "run --profile cpu-smoke --data {}/chats.jsonl",
        "run --profile cpu-smoke --prompts {}/prompts.jsonl",
        "run --profile cpu-smoke --model {}/model",
        "run --profile cpu-smoke --run-dir {}/run",
        "run --profile {}/own.toml",
        "eval --responses {}/answers.jsonl",
        "synth --from {}/run",
        "watch {}/run",
        "report {}/run",
        "runs {}/runs",
        "chat {}/run",
        "export {}/run --to trl",
    ],
)
def test_a_path_in_a_folder_that_one_may_not_enter_is_one_line_with_the_path(
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    colleagues = tmp_path / "colleague"
    look = os.stat

    def refused(path: object, *more: Any, **named: Any) -> os.stat_result:
        """What the system says of all that lies in that folder; root would be let in."""
        if not isinstance(path, int) and colleagues in Path(os.fsdecode(path)).parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look(path, *more, **named)

    monkeypatch.setattr("os.stat", refused)
    code = run([part.format(colleagues) for part in line.split()])
    said = capsys.readouterr().err.splitlines()[-1]
    assert code == ExitCode.ENVIRONMENT, said
    assert said.startswith(f"smolsft-autotune: {colleagues}")
    assert "see to its permissions" in said
