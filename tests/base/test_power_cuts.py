"""A run whose processes all die at once, again and again: nothing is lost, nothing done twice."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from autotune.protocol import events
from autotune.run.folder import RunDir
from autotune.run.state import replay
from autotune.score.answers import read_answers
from autotune.sources.cache import CACHE_VARIABLE

pytestmark = [pytest.mark.torch, pytest.mark.slow]

CUTS = 5


def start(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "autotune", "demo", "--toy", "--run-dir", "run", "--json"],
        cwd=folder,
        env=os.environ | {CACHE_VARIABLE: str(folder / "cache")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def cut_power(process: "subprocess.Popen[str]") -> None:
    """End the process and its workers, none of which can do anything about it."""
    parent = psutil.Process(process.pid)
    for one in [parent, *parent.children(recursive=True)]:
        one.kill()
    process.communicate()


def test_a_run_cut_off_five_times_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    draw = random.Random(2)
    cuts = 0
    while True:
        process = start(tmp_path)
        try:
            wait = draw.uniform(4, 22) if cuts < CUTS else 900
            said, human = process.communicate(timeout=wait)
            break
        except subprocess.TimeoutExpired:
            cut_power(process)
            cuts += 1
    assert cuts == CUTS
    assert process.returncode == 1, human  # finished, target not met
    assert json.loads(said)["met"] is False

    root = tmp_path / "run"
    record = [r.event for r in RunDir(root).records()]
    counted = Counter(
        (event.kind, getattr(event, "number", None), getattr(event, "name", None), step_of(event))
        for event in record
        if isinstance(
            event,
            events.TrialStarted
            | events.TrialEnded
            | events.Evaluated
            | events.Escalated
            | events.BaselineScored
            | events.RunEnded,
        )
    )
    assert set(counted.values()) == {1}, counted
    kinds = Counter(kind for kind, *_ in counted)
    assert (kinds["trial_started"], kinds["trial_ended"], kinds["run_ended"]) == (2, 2, 1)
    assert (kinds["baseline"], kinds["escalated"]) == (2, 1)

    state = replay(RunDir(root).records())
    assert [trial.plan.strategy for trial in state.trials] == ["A", "B"]
    for trial in state.trials:
        assert (trial.plan.total_steps, 0) in trial.checkpoints
    for answers in root.glob("eval/*/responses.jsonl"):
        keys = [answer.key for answer in read_answers(answers)]
        assert len(keys) == len(set(keys)) == 8, answers
    assert json.loads((root / "report.json").read_text(encoding="utf-8"))
    assert (root / "best" / "model.safetensors").exists()
    assert not list(root.rglob(".*.tmp"))


def step_of(event: object) -> int | None:
    checkpoint = getattr(event, "checkpoint", None)
    return None if checkpoint is None else checkpoint.step
