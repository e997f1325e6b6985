"""Each job to its function; here torch and transformers are loaded.

A job's own module is imported when it is asked for: a survey needs no model code, and the check of
a card not even transformers.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from autotune.base.errors import BadInput
from autotune.protocol import events
from autotune.protocol.job import (
    AverageJob,
    ChatJob,
    CheckJob,
    DeviceSpec,
    GenerateJob,
    GgufJob,
    Job,
    PredictJob,
    PrepareJob,
    SurveyJob,
    TrainedChatsJob,
    TrainJob,
    TrialJob,
    on_the_computer,
)
from autotune.protocol.kernels import FoundKernels
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute, open_compute
from autotune.worker.libraries import quiet_transformers
from autotune.worker.torchrun import ALONE, Launch, device_of

if TYPE_CHECKING:
    from autotune.worker.chat import Speaker
    from autotune.worker.trial import ModelCache

ON_CPU = SurveyJob | PrepareJob | AverageJob | PredictJob | GgufJob | TrainedChatsJob
"""Jobs about text, files and shapes. They have nothing to do on a card, so they open none: its
memory stays free, and a card that fails cannot make the data or a model look broken."""


class JobRunner:
    """Where jobs are done one after another: the device, and what trials may leave for the next."""

    def __init__(self, pipe: Pipe, launch: Launch = ALONE) -> None:
        self.pipe = pipe
        self.launch = launch
        self.transformers = ""
        self.compute: Compute | None = None
        self.spec: DeviceSpec | None = None
        self.model_cache: ModelCache | None = None
        self.speaker: Speaker | None = None

    @property
    def peak_bytes(self) -> int | None:
        """The peak of the present job, None where the device does not even report that."""
        try:
            return self.compute.memory.read().peak_bytes if self.compute else None
        except RuntimeError:
            return None  # a poisoned device answers every question with its error

    def clear(self) -> bool:
        """Make ready for another job; False where the peaks of this one cannot be forgotten.

        Of a talk nobody asks for peaks.
        """
        return self.speaker is not None or (
            self.compute is not None and self.compute.memory.restart()
        )

    def load_for(self, job: Job) -> None:
        """Load transformers, which every job but the check of a card needs."""
        if not isinstance(job, CheckJob):
            self.transformers = quiet_transformers()

    def do(self, job: Job) -> None:
        """Open the device with the first job, and do the job."""
        if isinstance(job, CheckJob):
            from autotune.worker.check import check

            check(job, self.pipe)
            return
        if self.model_cache is None and not isinstance(job, ChatJob):
            from autotune.worker.trial import ModelCache

            self.model_cache = ModelCache()
        spec = device_of(where(job), self.launch)
        if self.compute is None:
            self.spec = spec  # also of a device that cannot be opened: its failure is judged by it
            self.compute = open_compute(spec)
        elif self.spec != spec:
            raise BadInput(f"this worker is on {self.spec}: must stay there; start another")
        attention = attention_of(job, self.compute)
        self.pipe.emit(
            events.Ready(
                pid=os.getpid(),
                device=self.compute.name,
                torch=torch.__version__,
                transformers=self.transformers,
                attention=attention,
            )
        )
        if isinstance(job, ChatJob):
            from autotune.worker.chat import Speaker

            self.speaker = self.speaker or Speaker(self.compute)
            self.speaker.answer(job, self.pipe)
            return
        assert self.model_cache is not None
        run(job, self.compute, self.pipe, self.model_cache, self.launch)


def where(job: Job) -> DeviceSpec:
    """The device that a job is done on: the one it names, or the CPU where it needs no other."""
    if not isinstance(job, ON_CPU):
        return job.device
    return on_the_computer(threads=job.device.threads)


def attention_of(job: Job, compute: Compute) -> FoundKernels | None:
    """The kernels for the model of a job that computes with one."""
    match job:
        case TrialJob() | GenerateJob():
            folder = job.model_folder
        case TrainJob():
            folder = job.model
        case _:
            return None
    from autotune.worker.attention.kernels import find_kernels

    return find_kernels(compute, Path(folder))


def run(job: Job, compute: Compute, pipe: Pipe, model_cache: "ModelCache", launch: Launch) -> None:
    """Hand the job to its function."""
    match job:
        case SurveyJob():
            from autotune.worker.survey.job import survey

            survey(job, pipe)
        case PrepareJob():
            from autotune.worker.convert import prepare

            prepare(job, pipe)
        case TrialJob():
            from autotune.worker.trial import trial

            trial(job, compute, pipe, model_cache)
        case TrainJob():
            from autotune.worker.train.loop import train
            from autotune.worker.train.ranks import ranks_of

            train(job, compute, pipe, ranks_of(launch, compute.device))
        case AverageJob():
            from autotune.worker.train.average import average

            average(job, pipe)
        case PredictJob():
            from autotune.worker.predict.job import predict

            predict(job, pipe)
        case GenerateJob():
            from autotune.worker.generate.job import generate

            generate(job, compute, pipe)
        case GgufJob():
            from autotune.worker.gguf.job import write_gguf

            write_gguf(job, pipe)
        case TrainedChatsJob():
            from autotune.worker.trained_chats import write_trained_chats

            write_trained_chats(job, pipe)
