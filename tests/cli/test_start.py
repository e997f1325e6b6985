"""Starting up: what is loaded, and how answers made elsewhere are scored."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autotune.base.errors import ExitCode
from autotune.cli.main import run

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
IFEVAL = SHARED / "data" / "ifeval"


HEAVY = {"torch", "transformers", "optuna", "matplotlib", "pynvml", "datasets", "pandas"}


def loaded_after(code: str, looked_for: set[str] = HEAVY) -> set[str]:
    """Which of these modules are in `sys.modules` of a fresh process that ran `code`."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}\nimport sys; print(sorted({looked_for} & set(sys.modules)))",
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))


def test_help_loads_none_of_the_heavy_libraries() -> None:
    assert loaded_after("from autotune.cli.main import run; run(['--help'])") == set()


def test_the_help_of_a_command_loads_nothing_that_checks_a_profile() -> None:
    """That takes longer than all that the help shows."""
    slow = {"autotune.config.profile", "autotune.score.scorer", "autotune.sources.prompts"}
    assert loaded_after("from autotune.cli.main import run; run(['run', '--help'])", slow) == set()
    slow = {"pydantic", "importlib.metadata"}  # typer loads them for options, not for commands
    assert loaded_after("from autotune.cli.main import run; run(['--help'])", slow) == set()


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("app_setup", ["doctor"]),
        ("app", ["report", "."]),
        ("out_commands", ["export", ".", "--to", "script"]),
    ],
)
def test_a_command_says_what_it_does_before_it_loads_what_it_works_with(
    module: str, command: list[str]
) -> None:
    code = (
        "from autotune.cli.main import run\n"
        f"from autotune.cli import app, {module} as module\n"
        "def end(text, as_json): raise KeyboardInterrupt\n"
        "module.first_line = end\n"
        f"assert run({command}) == 130"
    )
    assert loaded_after(code, {"rich.console", "autotune.run.setup"}) == set()


def test_the_parent_never_loads_torch_for_a_probe_or_a_run() -> None:
    everything = "import autotune.cli.run, autotune.study.tuner, autotune.cli.eval"
    assert "torch" not in loaded_after(everything)
    assert "transformers" not in loaded_after(everything)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("smolsft-autotune 0.")


@pytest.mark.skipif(not IFEVAL.is_dir(), reason="needs the IFEval files in ../shared")
def test_published_answers_score_as_published(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(
        [
            *("eval", "--profile", "cpu-smollm2", "--json", "--prompt-limit", "all"),
            *("--responses", str(IFEVAL / "input_response_data_gpt4_20231107_145030.jsonl")),
            *("--prompts", str(IFEVAL / "input_data.jsonl")),
        ]
    )
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert code == ExitCode.DONE
    assert said["n"] == 541
    passes = [
        said[name]["passes"]
        for name in ("prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose")
    ]
    assert passes == [417, 697, 431, 713]
    assert said["instruction_strict"]["total"] == 834
    assert said["unmatched"] == [2785]
    assert "no answer to 1 prompt (key 2785): counted as failed" in captured.err
