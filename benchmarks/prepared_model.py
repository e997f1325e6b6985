"""A model's folder, built by a worker: for benchmarks that need weights and no run."""

from pathlib import Path

from autotune.launch import TrialRunner
from autotune.launch.worker_errors import worker_error
from autotune.protocol.job import PrepareJob, on_the_computer
from autotune.run.setup import SILENCE_SECONDS
from autotune.sources.model import ModelSource


def prepare(runner: TrialRunner, model: ModelSource, work: Path) -> None:
    """Build the model's folder where it comes from a GGUF file or a seed and is not there yet."""
    if model.kind == "folder" or model.is_prepared:
        return
    job = PrepareJob(
        device=on_the_computer(),
        source=model.kind,
        gguf=str(model.gguf) if model.gguf else None,
        out=str(model.folder),
    )
    folder = work / "prepare"
    result = runner.run(job, folder, lambda _: None, silence_seconds=SILENCE_SECONDS)
    if result.failure is not None:
        raise worker_error(result, f"model {model.label}", folder)
