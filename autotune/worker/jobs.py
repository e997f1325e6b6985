"""Each job to its function; here torch and transformers are loaded.

A job's own module is imported when it is asked for: a survey needs no model code.
"""

import os
from pathlib import Path
from typing import Any

import torch
import transformers

from autotune import events
from autotune.errors import BadInput
from autotune.job import (
    AverageJob,
    DeviceSpec,
    GenerateJob,
    Job,
    PredictJob,
    PrepareJob,
    SurveyJob,
    TrainJob,
    TrialJob,
)
from autotune.kernels import FoundKernels
from autotune.worker.compute import Compute, open_compute
from autotune.worker.pipe import Pipe
from autotune.worker.shelf import Shelf


class Bench:
    """Where jobs are done one after another: the device, and what trials may leave for the next."""

    def __init__(self, pipe: Pipe) -> None:
        logging: Any = transformers.logging
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.pipe = pipe
        self.compute: Compute | None = None
        self.spec: DeviceSpec | None = None
        self.shelf = Shelf()

    @property
    def peak_bytes(self) -> int | None:
        """The peak of the present job, None where the device does not even tell that."""
        try:
            return self.compute.memory.read().peak_bytes if self.compute else None
        except RuntimeError:
            return None  # a poisoned device answers every question with its error

    def clear(self) -> bool:
        """Make ready for another job; False where the peaks of this one cannot be forgotten."""
        return self.compute is not None and self.compute.memory.restart()

    def do(self, job: Job) -> None:
        """Open the device with the first job, and do the job."""
        if self.compute is None:
            self.compute, self.spec = open_compute(job.device), job.device
        elif self.spec != job.device:
            raise BadInput(f"this worker is on {self.spec}: must stay there; start another")
        attention = attention_of(job, self.compute)
        self.pipe.emit(
            events.Ready(
                pid=os.getpid(),
                device=self.compute.name,
                torch=torch.__version__,
                transformers=transformers.__version__,
                attention=attention,
            )
        )
        run(job, self.compute, self.pipe, self.shelf)


def attention_of(job: Job, compute: Compute) -> FoundKernels | None:
    """The kernels for the model of a job that computes with one."""
    match job:
        case TrialJob() | GenerateJob():
            folder = job.model_folder
        case TrainJob():
            folder = job.plan.model_folder
        case _:
            return None
    from autotune.worker.kernels import find_kernels

    return find_kernels(compute, Path(folder))


def run(job: Job, compute: Compute, pipe: Pipe, shelf: Shelf) -> None:
    """Hand the job to its function."""
    match job:
        case SurveyJob():
            from autotune.worker.survey import survey

            survey(job, pipe)
        case PrepareJob():
            from autotune.worker.prepare import prepare

            prepare(job, pipe)
        case TrialJob():
            from autotune.worker.trial import trial

            trial(job, compute, pipe, shelf)
        case TrainJob():
            from autotune.worker.train import train

            train(job, compute, pipe)
        case AverageJob():
            from autotune.worker.average import average

            average(job, pipe)
        case PredictJob():
            from autotune.worker.predict import predict

            predict(job, pipe)
        case GenerateJob():
            from autotune.worker.generate import generate

            generate(job, compute, pipe)
