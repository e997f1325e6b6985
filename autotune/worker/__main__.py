"""The worker: `python -m autotune.worker JOB.json` does one job and reports on its pipe.

File descriptor 1 is pointed at standard error before any library is loaded, so that nothing a
library prints can tear an event apart. Exit codes: 0 done, 3 out of memory, 4 bad job, 1 crashed.
The parent holds standard input open; when it ends, the parent is gone and so are we. With `--stay`
a finished job is not the end: the path of the next one is read from there. Any failure is the end,
and so is a device whose peaks cannot be set back for the next job.

`torchrun --nproc-per-node N -m autotune.worker JOB.json` has N of them share one train job; the
first of them reports.
"""

import errno
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import ValidationError

from autotune.base.errors import AutotuneError, BadInput, EnvironmentFault
from autotune.protocol.device_kind import has_own_memory
from autotune.protocol.events import Failed, Finished
from autotune.protocol.failure import Failure
from autotune.protocol.job import JOB, Job, SurveyJob, as_read
from autotune.worker.channel import FailuresOnly, JobInbox, Pipe, follow_starter
from autotune.worker.faults import JobFault
from autotune.worker.memory.errors import classify, loading_fault
from autotune.worker.torchrun import Launch, demand_shareable, launch_of

if TYPE_CHECKING:
    from autotune.worker.jobs import JobRunner
    from autotune.worker.survey.runner import SurveyRunner

DONE, CRASHED, OUT_OF_MEMORY, BAD_JOB = 0, 1, 3, 4


def main() -> int:
    """Do the job named on the command line."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Ctrl-C, Windows' Ctrl-Break and a terminal that is closed reach the whole group; the parent
    # decides what becomes of us.
    for name in ("SIGINT", "SIGBREAK", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        launch = launch_of(os.environ)
    except BadInput as error:
        return fail(Pipe(stream), Failure.BAD_JOB, str(error))
    job_inbox = None if launch.shared else JobInbox()
    if launch.shared:
        follow_starter()
    pipe = pipe_of(launch, stream)
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    job_runner = None
    while True:
        try:
            job = as_read(JOB.validate_json(path.read_bytes()), path.parent)
        except (OSError, ValidationError) as error:
            return fail(pipe, Failure.BAD_JOB, f"job file: {str(error).splitlines()[0]}")
        try:
            demand_shareable(launch, job, stays=stays())
        except BadInput as error:
            return fail(pipe, Failure.BAD_JOB, str(error))
        if job_runner is None:
            try:
                job_runner = runner_for(job, pipe, launch)
            except Exception as error:  # a missing file, a DLL, whatever a library itself raises
                library = "transformers" if "torch" in sys.modules else "torch"
                return unloadable(pipe, library, error)
        code = attempt(job_runner, job, pipe)
        if code != DONE or job_inbox is None or not stays() or not job_runner.clear():
            return code
        pipe.emit(Finished())
        path = job_inbox.next_job()
        pipe.phase = "start"
        log_to(path.parent / "worker.log")


def pipe_of(launch: Launch, stream: BinaryIO) -> Pipe:
    """The pipe of this rank: the first one reports."""
    if launch.rank == 0:
        return Pipe(stream)
    return FailuresOnly(stream, f"rank {launch.rank} of {launch.size}")


def runner_for(job: Job, pipe: Pipe, launch: Launch) -> "JobRunner | SurveyRunner":
    """Where the first job is done, and those after it; the libraries are loaded here.

    Not before, because the streams must be in place.
    """
    if isinstance(job, SurveyJob) and not stays():
        from autotune.worker.survey.runner import SurveyRunner

        return SurveyRunner(pipe)
    importlib.import_module("torch")
    from autotune.worker.jobs import JobRunner

    job_runner = JobRunner(pipe, launch)
    job_runner.load_for(job)
    return job_runner


def stays() -> bool:
    """Whether other jobs may follow."""
    return "--stay" in sys.argv[2:]


def unloadable(pipe: Pipe, library: str, error: Exception) -> int:
    """Report that a library cannot be loaded, with the reason and what to do."""
    traceback.print_exception(error)
    return fail(pipe, *loading_fault(library, error))


def log_to(path: Path) -> None:
    """Each job's output stands beside its job file."""
    sys.stderr.flush()
    with path.open("ab") as log:
        os.dup2(log.fileno(), 2)


def attempt(job_runner: "JobRunner | SurveyRunner", job: Job, pipe: Pipe) -> int:
    """Do one job; whatever goes wrong is reported and becomes an exit code."""
    try:
        job_runner.do(job)
        return DONE
    except Exception as error:
        return failed(job_runner, pipe, error)


def failed(job_runner: "JobRunner | SurveyRunner", pipe: Pipe, error: Exception) -> int:
    """Report what kind of failure it was."""
    if isinstance(error, ImportError):  # of what is loaded only when a job needs it
        return unloadable(pipe, error.name or "a library", error)
    if isinstance(error, EnvironmentFault):
        return fail(pipe, Failure.DISK, str(error))
    if isinstance(error, AutotuneError):
        return fail(pipe, Failure.BAD_JOB, str(error))
    if isinstance(error, JobFault):
        return fail(pipe, error.failure, str(error))
    traceback.print_exception(error)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    on_card = job_runner.spec is not None and has_own_memory(job_runner.spec.kind)
    fault = Failure.DISK if full else classify(error, on_card=on_card)
    return fail(pipe, fault, one_line(error), job_runner.peak_bytes)


def one_line(error: Exception) -> str:
    """The error's type and the first line of its text."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def fail(pipe: Pipe, fault: Failure, message: str, memory_bytes: int | None = None) -> int:
    """Report the failure and give the exit code that goes with it."""
    pipe.emit(Failed(fault=fault, phase=pipe.phase, message=message, memory_bytes=memory_bytes))
    return {Failure.OUT_OF_MEMORY: OUT_OF_MEMORY, Failure.BAD_JOB: BAD_JOB}.get(fault, CRASHED)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Skip interpreter teardown: the thread on standard input and torch's pools would delay it.
    os._exit(code)
