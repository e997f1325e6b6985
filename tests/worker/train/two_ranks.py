"""What each of two processes does that torchrun starts for `test_ranks.py`: FOLDER is given.

First trainings in this process, one of them short of memory on one rank only; then the worker as
it is. Each rank writes down what it did.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import JOB
from autotune.worker.__main__ import main
from autotune.worker.torchrun import launch_of
from autotune.worker.train.loop import train
from autotune.worker.train.ranks import Ranks, ranks_of
from tests.worker.toys import Tight, cpu, loaded_toy, losses, of_kind, some_rows, stepper_of

SHORT_RANK, SHORT_AT = 1, 7
"""Which rank runs out of memory, and in which of its phases."""


class Counting(Tight):
    """A pipe that also counts the micro-batches of each step."""

    def __init__(self, at: int | None = None) -> None:
        super().__init__(at)
        self.micro_batches: list[int] = []
        self.now = 0

    def enter(self, phase: str) -> None:
        self.now += phase == "forward"
        super().enter(phase)

    def emit(self, event: WorkerEvent) -> None:
        super().emit(event)
        if isinstance(event, events.StepDone):
            self.micro_batches.append(self.now)
            self.now = 0


def trained(path: Path, ranks: Ranks, *, short: bool) -> dict[str, Any]:
    """What came of a train job on this rank."""
    pipe = Counting(SHORT_AT if short and ranks.rank == SHORT_RANK else None)
    job: Any = JOB.validate_json(path.read_bytes())
    train(job, cpu(), pipe, ranks)
    resized = of_kind(pipe.emitted, events.MicroBatchResized)
    return {
        "losses": losses(pipe.emitted),
        "held_out": {e.step: e.loss for e in of_kind(pipe.emitted, events.HeldOutLoss)},
        "micro_batches": pipe.micro_batches,
        "resized": [(e.step, e.after.micro_batch_tokens, e.reason) for e in resized],
        "resumed": [e.step for e in of_kind(pipe.emitted, events.Resumed)],
        "saved": [e.checkpoint.step for e in of_kind(pipe.emitted, events.CheckpointSaved)],
    }


def overflowed(folder: Path, ranks: Ranks) -> dict[str, Any]:
    """Steps in fp16 whose first scale is too high; one has a single row, for one of the ranks."""
    stepper = stepper_of(loaded_toy(folder), Precision.FP16)
    stepper.ranks = ranks
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    results = [
        stepper.step(some_rows(lengths, seed=number), number)
        for number, lengths in enumerate(([30, 9, 21], [14], [40, 5]), start=1)
    ]
    weights = b"".join(p.detach().numpy().tobytes() for p in stepper.loaded.model.parameters())
    return {
        "skips": [result.skips for result in results],
        "losses": [result.loss for result in results],
        "scale": stepper.scaler.get_scale(),
        "weights": hashlib.sha256(weights).hexdigest(),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    launch = launch_of(os.environ)
    ranks = ranks_of(launch, torch.device("cpu"))
    did = {
        "short": trained(folder / "short.json", ranks, short=True),
        "resumed": trained(folder / "resumed.json", ranks, short=False),
        "fp16": overflowed(folder / "model", ranks),
    }
    (folder / f"rank-{launch.rank}.json").write_text(json.dumps(did), encoding="utf-8")
    sys.argv = ["worker", str(folder / "whole.json")]
    code = main()
    sys.stderr.flush()
    os._exit(code)
