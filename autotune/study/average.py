"""One more candidate: a worker makes the mean of a trial's last checkpoints."""

from autotune.launch.retries import RetryLimit
from autotune.launch.worker_errors import stop_on_environment
from autotune.protocol import events
from autotune.protocol.failure import Failure
from autotune.protocol.job import AverageJob
from autotune.protocol.results import Checkpoint
from autotune.protocol.run_path import from_folder
from autotune.run.session import Session
from autotune.run.setup import SILENCE_SECONDS, Setup
from autotune.study.next_action import Average


def average(session: Session, setup: Setup, action: Average) -> None:
    """Have the mean made; the worker reports the new checkpoint, which is then scored.

    A worker that dies is given one more try, one that is killed from outside some more: see
    `RetryLimit`. Where there is no mean after that, the trial has a candidate without a valid
    score, and the reason.

    Raises:
        EnvironmentFault: the disk is full, or something keeps killing the workers.
    """
    number, last = action.trial.number, action.of[-1]
    mean = Checkpoint(step=last.step, progress=last.progress, folder="", averaged=len(action.of))
    rundir = session.rundir
    inside = from_folder(str(rundir.checkpoint(number, mean)), rundir.root)
    mean = mean.model_copy(update={"folder": inside})
    job = AverageJob(
        # Tensors are added one by one: a card would gain nothing, and memory on it may be short.
        device=setup.computer,
        of=action.of,
        checkpoint=mean,
        out=str(rundir.checkpoints(number)),
    )
    where = rundir.work_folder(f"trial-{number:04d}-{mean.name}")
    deaths = RetryLimit()
    while True:
        result = session.work(job, where, silence_seconds=SILENCE_SECONDS)
        if result.failure is None:
            return
        stop_on_environment(result)
        if result.failure is Failure.BAD_JOB or not deaths.allows_retry(result):
            break
    problem = f"it could not be made ({result.words}: {result.reason})"
    session.emit(events.Evaluated.without_score(number, mean, problem))
