"""What a person reads who typed something wrong: one line, and an exit code."""

import json
from pathlib import Path

import pytest

from autotune.cli.main import run
from autotune.errors import ExitCode


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))


TOY = ["run", "--profile", "cpu-smoke"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*TOY, "--target", "25"], "--target 25.0: must be above 0 and at most 1"),
        ([*TOY, "--target", "0"], "must be above 0"),
        ([*TOY, "--max-rounds", "0"], "--max-rounds 0: must be a whole number from 1, or all"),
        ([*TOY, "--max-rounds", "-1"], "--max-rounds -1: must be a whole number from 1, or all"),
        ([*TOY, "--max-rounds", "six"], "--max-rounds six"),
        ([*TOY, "--model-max-length", "7"], "--model-max-length 7: must be"),
        ([*TOY, "--vram-budget", "8"], "--vram-budget 8: must be auto, or a size above 0 with its"),
        ([*TOY, "--vram-budget", "0GiB"], "--vram-budget 0GiB"),
        ([*TOY, "--vram-budget", "-3GB"], "--vram-budget -3GB"),
        ([*TOY, "--device", "tpu"], "--device tpu: must be auto, cuda, cuda:N or cpu"),
        ([*TOY, "--precision", "int8"], "--precision int8: must be auto, fp16, bf16 or fp32"),
        ([*TOY, "--supervision", "all"], "--supervision all: must be content or course"),
        ([*TOY, "--truncation", "middle"], "--truncation middle"),
        ([*TOY, "--seed", "-1"], "--seed -1"),
        ([*TOY, "--format", "foo"], "--format foo: must be auto, messages, conversations"),
        ([*TOY, "--run-dir", __file__], "is a file, must be a folder"),
        (["probe", "--plan", "--vram-budget", "900GiB"], "has 8GiB; give at most that"),
        ([*TOY, "--skip-bad", "-1"], "--skip-bad -1"),
        ([*TOY, "--data", "no/such.json"], "data no/such.json: no such file"),
        ([*TOY, "--model", "./no-such-folder"], "no such folder"),
        ([*TOY, "--prompts", "no-such.jsonl"], "prompts no-such.jsonl: no such file"),
        (["run", "--profile", "cpu-smokee"], "did you mean cpu-smoke?"),
        (["eval"], "give a model or --responses FILE"),
        (["eval", "toy", "--responses", "x.jsonl"], "one of the two"),
        (["report", "nowhere"], "nowhere: holds no run"),
    ],
)
def test_a_mistake_is_one_line_with_the_value_and_the_rule(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["run", "--tagret", "0.3"], ["trian"], ["run", "--seed", "x"]]
)
def test_an_unknown_option_or_command_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == ExitCode.BAD_INPUT
    assert "Traceback" not in capsys.readouterr().err


def test_markup_and_escape_codes_in_a_path_are_printed_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*TOY, "--data", "[/x]\x1b[31m.json"]) == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert "[/x]" in error
    assert "\x1b" not in error


def test_a_folder_with_other_files_is_not_taken_for_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("three years", encoding="utf-8")
    assert run([*TOY, "--run-dir", str(tmp_path)]) == ExitCode.BAD_INPUT
    assert "holds files but no run" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.torch
def test_a_file_of_bad_data_names_its_line_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"messages": []}\n{"messages"\n', encoding="utf-8")
    code = run([*TOY, "--data", "bad.jsonl", "--model", "toy", "--run-dir", "run"])
    assert code == ExitCode.BAD_INPUT
    assert "bad.jsonl:2: not JSON" in capsys.readouterr().err
    assert not (tmp_path / "run" / "trials").exists()


def test_a_token_in_the_environment_is_in_no_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    run([*TOY, "--model", "./missing"])
    captured = capsys.readouterr()
    assert "hf_abcdefghijklmnop" not in captured.out + captured.err


def test_profiles_are_listed_and_shown_as_text_and_as_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["profiles", "list"]) == ExitCode.DONE
    assert "rtx4060-laptop-8gb" in capsys.readouterr().out
    assert run(["profiles", "list", "--json"]) == ExitCode.DONE
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["profiles"]]
    assert names == ["cpu-smoke", "cpu-smollm2", "rtx4060-laptop-8gb"]
    assert run(["profiles", "show", "rtx4060-laptop-8gb"]) == ExitCode.DONE
    assert "[[strategy]]" in capsys.readouterr().out
    assert run(["profiles", "show", "cpu-smoke", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["name"] == "cpu-smoke"
