"""Each job to its function; here torch and transformers are loaded."""

import os
from typing import Any

import torch
import transformers

from autotune import events
from autotune.job import GenerateJob, Job, PrepareJob, SurveyJob, TrainJob, TrialJob
from autotune.worker.compute import open_compute
from autotune.worker.generate import generate
from autotune.worker.pipe import Pipe
from autotune.worker.prepare import prepare
from autotune.worker.survey import survey
from autotune.worker.train import train
from autotune.worker.trial import trial


def run(job: Job, pipe: Pipe) -> None:
    """Open the device and do the job."""
    logging: Any = transformers.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    compute = open_compute(job.device)
    pipe.emit(
        events.Ready(
            pid=os.getpid(),
            device=compute.name,
            torch=torch.__version__,
            transformers=transformers.__version__,
        )
    )
    match job:
        case SurveyJob():
            survey(job, pipe)
        case PrepareJob():
            prepare(job, pipe)
        case TrialJob():
            trial(job, compute, pipe)
        case TrainJob():
            train(job, compute, pipe)
        case GenerateJob():
            generate(job, compute, pipe)
