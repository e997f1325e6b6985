"""Running a job in a process of its own, and reporting how it ended.

`SubprocessRunner` starts real processes; whoever has jobs done asks for a `TrialRunner`.
"""

from autotune.launch.environment import dropped_settings, worker_environment
from autotune.launch.runner import JobResult, OnEvent, TrialRunner, WarmRunner
from autotune.launch.subprocess_runner import SubprocessRunner

__all__ = [
    "JobResult",
    "OnEvent",
    "SubprocessRunner",
    "TrialRunner",
    "WarmRunner",
    "dropped_settings",
    "worker_environment",
]
