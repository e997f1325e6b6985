"""`--explain`: every setting with its value and where it comes from."""

import json
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.cli.main import run


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(capsys: pytest.CaptureFixture[str], *typed: str) -> dict[str, tuple[Any, str]]:
    """Value and origin of each setting, as `--json` prints them."""
    assert run([*typed, "--explain", "--json", "--profile", "cpu-smoke"]) == ExitCode.DONE
    rows = json.loads(capsys.readouterr().out)["settings"]
    assert len({row["setting"] for row in rows}) == len(rows)
    return {row["setting"]: (row["value"], row["origin"]) for row in rows}


def test_every_setting_has_the_origin_of_its_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = settings(
        capsys,
        *("run", "--seed", "7", "--max-rounds", "1", "--model-max-length", "192", "--early"),
        *("--set", "A.batch_size=4", "--set", "evaluate.require.min_stop=0.5", "--target", "30%"),
    )
    assert found["profile"] == ("cpu-smoke", "--profile")
    assert found["target"] == ("30%", "--target")
    assert found["train.seed"] == (7, "--seed")
    assert found["evaluate.early"] == (True, "--early")
    assert found["A.batch_size"] == (4, "--set")
    assert found["evaluate.require.min_stop"] == (0.5, "--set")
    assert found["A.learning_rate"] == (1e-3, "profile cpu-smoke")
    assert found["A.weight_decay"] == (0.0, "profile cpu-smoke")
    assert found["evaluate.require.max_loop"] == (None, "default")
    assert found["A.n_trials"] == (1, "default")
    # A limit is the origin only where it lowered something.
    assert found["A.model_max_length"] == (192, "--model-max-length")
    assert found["B.model_max_length"] == (192, "profile cpu-smoke")
    assert found["B.max_rounds"] == (1, "--max-rounds")
    assert list(tmp_path.iterdir()) == []  # nothing was started


@pytest.mark.parametrize("command", ["run", "probe", "inspect"])
def test_the_table_fits_80_columns_with_a_line_a_setting(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([command, "--explain", "--profile", "cpu-smoke"]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    (seed,) = (line.strip("│ ").split() for line in lines if "train.seed" in line)
    assert seed == ["train.seed", "42", "profile"]


def test_a_wrong_value_is_refused_as_the_command_itself_would(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["run", "--explain", "--set", "train.seed=x"]) == ExitCode.BAD_INPUT
    assert "--set train.seed=x: must be a valid integer" in capsys.readouterr().err


def test_what_was_typed_stands_in_the_command_that_is_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["run", "--explain", "--profile", "cpu-smoke", "--target", "30%"]) == ExitCode.DONE
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "next: smolsft-autotune run --profile cpu-smoke --target 30%"
    assert run(["probe", "--explain", "--profile", "cpu-smoke"]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines()[-1].endswith("probe --profile cpu-smoke")
