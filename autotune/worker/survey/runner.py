"""Where a survey is done that has a process to itself: no device, and no torch."""

import os

from autotune.protocol import events
from autotune.protocol.job import DeviceSpec, Job, SurveyJob
from autotune.worker.channel import Pipe
from autotune.worker.libraries import hide_torch, quiet_transformers
from autotune.worker.memory.cpu import peak_resident_bytes


class SurveyRunner:
    """Does one survey; where other jobs come before or after it, `jobs.JobRunner` does."""

    spec: DeviceSpec | None = None

    def __init__(self, pipe: Pipe) -> None:
        hide_torch()
        self.pipe = pipe
        self.transformers = quiet_transformers()

    @property
    def peak_bytes(self) -> int:
        """The most that this process has held resident."""
        return peak_resident_bytes()

    def clear(self) -> bool:
        """Nothing else can be done here."""
        return False

    def do(self, job: Job) -> None:
        """Do the survey."""
        assert isinstance(job, SurveyJob)  # nothing else is given to it
        self.pipe.emit(events.Ready(pid=os.getpid(), device="CPU", transformers=self.transformers))
        from autotune.worker.survey.job import survey

        survey(job, self.pipe)
