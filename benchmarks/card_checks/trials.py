"""Trials at points of the checks' own choice, on one long conversation."""

from pathlib import Path
from typing import Any

from autotune.launch import JobResult
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import DeviceSpec, TrialJob
from autotune.protocol.plan import DataSpec, TrialPoint
from autotune.protocol.results import Measurement
from benchmarks.card_checks.asked import Ask
from benchmarks.card_checks.inputs import long_chat
from benchmarks.card_checks.jobs import emitted, of_kind


def trial(
    ask: Ask,
    folder: Path,
    device: DeviceSpec,
    rows: int,
    tokens: int,
    gradient_checkpointing: bool = False,
    runner: Any = None,
) -> tuple[list[WorkerEvent], JobResult, Measurement | None]:
    """A trial of so many rows of so many tokens; its events, its end and what it measured."""
    job = TrialJob(
        device=device,
        model_folder=ask.model,
        data=DataSpec(path=str(long_chat(ask.folder / "long.jsonl")), format="auto"),
        point=TrialPoint(
            model_max_length=tokens,
            max_rounds="all",
            micro_batch_tokens=rows * tokens,
            gradient_checkpointing=gradient_checkpointing,
            row_tokens=tokens,
        ),
        longest_conversation=0,
        # Of an evaluation only the least: the step's own peak is asked about.
        generate_rows=1,
        generate_context=64,
        seed=0,
    )
    said, ending = emitted(job, folder, runner=runner)
    measured = of_kind(said, events.Measured)
    return said, ending, measured[-1].measurement if measured else None
