"""The whole command on this machine: every step is really executed, with a toy on the CPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.card_checks.steps import STEPS

pytestmark = [pytest.mark.torch, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


def test_a_rehearsal_runs_every_step_and_a_second_call_has_nothing_to_do(tmp_path: Path) -> None:
    out = tmp_path / "card.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "card.py"), "--rehearse"]
    command += ["--out", str(out), "--work", str(tmp_path / "work")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    tree = json.loads(out.read_text(encoding="utf-8"))
    assert tree["rehearsal"] is True
    assert [*tree["steps"]] == [step.name for step in STEPS]
    # No card answered, so nothing may claim to be proven.
    assert {step["outcome"] for step in tree["steps"].values()} == {"not here"}, said

    figures = {name: step["figures"] for name, step in tree["steps"].items()}
    assert figures["kernels"]["worker"]["ended"] == "done"
    assert figures["gpu_tests"]["counts"].keys() == {"skipped"}
    assert figures["probe"]["found_length"] == 256
    assert figures["probe"]["by_force_mib"].keys() == {"128", "192", "256"}
    assert figures["late_memory"]["recuts"] and figures["overflow"]["skips"]["1"] > 0
    for name in ("late_memory", "kill", "overflow"):
        assert figures[name]["largest_difference"] < 1e-2, name
    assert figures["kill"]["resumed_from"] == [3]
    assert {"e_packed", "b_trainer", "d_padded"} <= figures["training_speed"]["speed"].keys()
    same = figures["generation"]["same_texts_in_fp32"]
    assert {way: tree["same_texts"] for way, tree in same.items()} == dict.fromkeys(
        ("batch8", "ours", "graphed", "continuous"), 2
    )
    assert figures["strategy_a"]["whole"] is True
    assert figures["strategy_a"]["hours"]["plan"] > 0

    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert json.loads(out.read_text(encoding="utf-8")) == tree
