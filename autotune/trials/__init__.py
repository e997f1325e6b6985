"""Running a job in a process of its own, and telling truthfully how it ended.

`SubprocessRunner` is the hand that works; `FakeRunner` plays a script for tests.
"""

from autotune.trials.environment import dropped_settings, worker_environment
from autotune.trials.fake import FakeRunner
from autotune.trials.port import JobResult, OnEvent, TrialRunner, WarmRunner
from autotune.trials.runners import SubprocessRunner

__all__ = [
    "FakeRunner",
    "JobResult",
    "OnEvent",
    "SubprocessRunner",
    "TrialRunner",
    "WarmRunner",
    "dropped_settings",
    "worker_environment",
]
