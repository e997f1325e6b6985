"""Each job to its function; here torch and transformers are loaded.

A job's own module is imported when it is asked for: a survey needs no model code.
"""

import os
from typing import Any

import torch
import transformers

from autotune import events
from autotune.job import GenerateJob, Job, PrepareJob, SurveyJob, TrainJob, TrialJob
from autotune.worker.compute import open_compute
from autotune.worker.pipe import Pipe


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
            from autotune.worker.survey import survey

            survey(job, pipe)
        case PrepareJob():
            from autotune.worker.prepare import prepare

            prepare(job, pipe)
        case TrialJob():
            from autotune.worker.trial import trial

            trial(job, compute, pipe)
        case TrainJob():
            from autotune.worker.train import train

            train(job, compute, pipe)
        case GenerateJob():
            from autotune.worker.generate import generate

            generate(job, compute, pipe)
