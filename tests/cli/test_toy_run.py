"""The whole path in real processes on the toy: probe, train, score, escalate, report, resume."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autotune.cli.target import DEMO_TARGET

pytestmark = pytest.mark.torch


def call(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object on standard output, and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "autotune", *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stderr
    return done.returncode, json.loads(lines[0]), done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("toy")
    return folder, *call(folder, "demo", "--toy", "--run-dir", "run")


def test_a_toy_run_escalates_and_says_that_the_target_is_not_met(
    finished: tuple[Path, int, dict[str, Any], str],
) -> None:
    folder, code, said, human = finished
    assert code == 1
    assert said["met"] is False
    assert said["target"] == float(DEMO_TARGET)
    assert "moving on from A to B" in human
    best = said["best"]
    assert best["n"] == 24
    assert best["strict"] == best["passes"] / best["n"]
    assert set(best["health"]) >= {"stop", "loop", "echo"}
    assert 0 <= best["interval"][0] <= best["strict"] <= best["interval"][1] <= 1
    assert (folder / best["checkpoint"]).is_dir()


def test_the_record_says_what_kind_of_device_the_run_began_on(
    finished: tuple[Path, int, dict[str, Any], str],
) -> None:
    lines = (finished[0] / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line)["event"] for line in lines]
    started = [event for event in told if event["kind"] == "run_started"]
    assert [event["device_kind"] for event in started] == ["cpu"]


def test_a_run_leaves_a_report_a_record_and_the_best_checkpoint(
    finished: tuple[Path, int, dict[str, Any], str],
) -> None:
    root = finished[0] / "run"
    for name in ("report.json", "report.md", "report.html", "events.jsonl", "fit.json", "run.toml"):
        assert (root / name).stat().st_size > 0, name
    fit = json.loads((root / "fit.json").read_text(encoding="utf-8"))
    assert any(
        trial["verdict"] == "FITS" and trial["measurement"]["steps"] >= 3 for trial in fit["trials"]
    )
    assert fit["peak_bytes"] <= fit["budget_bytes"]
    assert (root / "best" / "model.safetensors").exists()
    generation = json.loads((root / "best" / "generation_config.json").read_text(encoding="utf-8"))
    assert 2 in generation["eos_token_id"]
    kinds = [
        json.loads(line)["event"]["kind"]
        for line in (root / "events.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert kinds.count("run_ended") == 1
    assert kinds.count("baseline") == 2


def test_a_finished_run_is_not_run_again(
    finished: tuple[Path, int, dict[str, Any], str],
) -> None:
    folder, _, said, _ = finished
    record = (folder / "run" / "events.jsonl").read_bytes()
    before = sorted((folder / "run" / "trials").rglob("model.safetensors"))
    code, again, _ = call(folder, "demo", "--toy", "--run-dir", "run")
    assert code == 1
    assert again["best"] == said["best"]
    assert sorted((folder / "run" / "trials").rglob("model.safetensors")) == before
    assert (folder / "run" / "events.jsonl").read_bytes() == record
    assert (again["seconds"], again["timeline"]) == (said["seconds"], said["timeline"])


def test_other_settings_on_the_same_folder_are_refused(
    finished: tuple[Path, int, dict[str, Any], str],
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "autotune", "run", "--profile", "cpu-smoke"),
            *("--seed", "7", "--run-dir", "run"),
        ],
        cwd=finished[0],
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 2
    assert "was started with other settings (train.seed = 42, now 7)" in done.stderr


def test_a_checkpoint_of_a_run_can_be_scored_by_itself(
    finished: tuple[Path, int, dict[str, Any], str],
) -> None:
    folder = finished[0]
    code, said, _ = call(
        *(folder, "eval", "run/best", "--profile", "cpu-smoke", "--prompts", "toy"),
        *("--prompt-limit", "4", "--run-dir", "score", "--target", "0.9"),
    )
    assert code == 1
    assert said["met"] is False
    assert said["n"] == 4
    assert said["prompt_strict"]["total"] == 4
    assert set(said["health"]) == {"stop", "loop", "echo", "empty", "vacuous"}


def test_the_probe_alone_prints_what_scripts_rely_on(tmp_path: Path) -> None:
    code, said, _ = call(tmp_path, "probe", "--profile", "cpu-smoke", "--run-dir", "probe")
    assert code == 0
    assert said["model_max_length"] <= 256
    assert said["peak_bytes"] <= said["budget_bytes"]
    assert said["trials"][0]["verdict"] in {"FITS", "OVER_BUDGET"}
    assert {"fits", "model_max_length", "max_rounds", "steps", "eta_seconds"} <= set(
        said["strategies"]["A"]
    )
    for name, kind in (
        ("max_rounds", int),
        ("micro_batch_tokens", int),
        ("gradient_checkpointing", bool),
        ("tokens_per_second", float),
    ):
        assert isinstance(said[name], kind)


def test_a_dry_run_beside_it_takes_its_times_and_leaves_nothing_behind(
    finished: tuple[Path, int, dict[str, Any], str],
) -> None:
    folder = finished[0]
    before = sorted(folder.iterdir())
    typed = ("run", "--dry-run", "--profile", "cpu-smoke")
    code, said, human = call(folder, *typed, "--run-dir", "other", "--strategies", "B,A")
    assert (code, said["stopped_by"], said["measured"]) == (0, None, True)
    assert [trial["stage"] for trial in said["trials"]] == ["B", "A"]
    assert 0 < said["seconds"] < 600
    assert said["disk_needed_bytes"] < said["disk_free_bytes"]
    assert sorted(folder.iterdir()) == before
    assert "nothing was started" in human
    # Of the run itself nothing is left to do, and it says how many trials are over.
    code, said, _ = call(folder, *typed, "--run-dir", "run")
    assert (code, said["trials"], said["trials_over"]) == (0, [], 2)


def test_planned_stands_beside_actual_for_each_trial(
    finished: tuple[Path, int, dict[str, Any], str],
) -> None:
    for trial in finished[2]["trials"]:
        assert trial["expected"]["at_most"] is False
        assert trial["took"]["training_seconds"] > 0 and trial["took"]["scoring_seconds"] > 0
