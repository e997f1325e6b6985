"""What the processes that are timed beside each other say of a step, and what they give back."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from autotune.protocol.choices import Precision
from autotune.worker.compute import Compute
from autotune.worker.memory.base import MemoryReading
from benchmarks import throughput_ways, train_throughput
from tests.fakes.memory import FakeMemory

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("kind", "times"), [("cpu", 1), ("cuda", 0)])
def test_a_card_keeps_its_cache_between_timed_steps_since_one_way_has_it_alone(
    kind: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emptied cache would be filled again in the next step, and that is timed."""
    said = io.StringIO()
    monkeypatch.setattr(throughput_ways, "OUT", said, raising=False)
    memory: Any = FakeMemory(lambda _: MemoryReading(7, 0, 0))
    throughput_ways.report(
        1.5, 2.5, Compute(torch.device(kind, 0), Precision.FP32, memory, "played")
    )
    assert json.loads(said.getvalue()) == {"seconds": 1.5, "cpu_seconds": 2.5, "peak_bytes": 7}
    assert memory.restarted == times


@pytest.mark.parametrize(("way", "as_workers"), [("e_packed", True), ("b_trainer", False)])
def test_only_the_ways_of_the_tool_have_the_environment_of_its_workers(
    way: str, as_workers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an H100 torch would else attend by cuDNN, as a public way does and no worker."""
    monkeypatch.delenv("TORCH_CUDNN_SDPA_DEPRIORITIZED", raising=False)
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda _, **how: started.append(how))
    train_throughput.Way(way, tmp_path / "spec.json")
    environ = started[0]["env"]
    assert ("TORCH_CUDNN_SDPA_DEPRIORITIZED" in environ) is as_workers
    assert environ["OMP_WAIT_POLICY"] == "PASSIVE"
