"""What a job's failure means for who had it done, and what a person reads of it."""

from pathlib import Path

from autotune.base.error_texts import COMPUTER_FULL, Meaning, known
from autotune.base.errors import AutotuneError, BadInput, EnvironmentFault
from autotune.launch.runner import JobResult
from autotune.protocol.failure import Failure
from autotune.protocol.oom_recovery import MORE_MEMORY


def with_remedy(reason: str) -> str:
    """A reason with what it means and what to do, where its own words do not say it.

    `reason` is what a worker said of its failure, the error's type in front.
    """
    row = known(reason)
    if row is None:
        return reason
    remedy = COMPUTER_FULL if row.meaning is Meaning.COMPUTER else row.remedy
    return reason if not remedy or remedy in reason else f"{reason} ({remedy})"


def worker_error(result: JobResult, what: str, folder: Path) -> AutotuneError:
    """The failure of a job that nothing can be done without, as the error that the user reads.

    `what` the job was about, and the `folder` that holds its log.
    """
    if result.failure is Failure.BAD_JOB:
        return BadInput(result.reason)
    log = folder / "worker.log"
    if result.failure is Failure.LIBRARY:
        return EnvironmentFault(result.reason, log=log)  # whatever it was asked to do
    if result.failure is Failure.OVER_BUDGET:
        return EnvironmentFault(f"{what}: {result.reason}; {MORE_MEMORY}", log=log)
    if result.failure is Failure.HOST_MEMORY:
        reason = with_remedy(result.reason)
        perhaps = "" if result.killed or COMPUTER_FULL in reason else f"; perhaps {COMPUTER_FULL}"
        return EnvironmentFault(f"{what}: {reason}{perhaps}; run the same command again", log=log)
    return EnvironmentFault(f"{what}: {result.words} ({with_remedy(result.reason)})", log=log)


def stop_on_environment(result: JobResult) -> None:
    """Another worker would end as this one did: without room on the disk, or without torch.

    Raises:
        EnvironmentFault: the disk is full, or torch or transformers cannot be loaded (any more).
    """
    if result.failure is Failure.LIBRARY:
        raise EnvironmentFault(f"{result.reason}; then run the same command again to resume")
    if result.failure is Failure.DISK:
        raise EnvironmentFault(
            f"{result.reason}; free disk space, then run the same command again to resume"
        )
