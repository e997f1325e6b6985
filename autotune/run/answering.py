"""Prompts answered by a model: as many workers as it takes, within limits.

A score and practice data are made of such answers. What is on disk is not made again.
"""

from collections.abc import Callable
from pathlib import Path

from autotune.launch import JobResult
from autotune.launch.retries import RetryLimit
from autotune.launch.worker_errors import stop_on_environment, with_remedy
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import GenerateJob
from autotune.protocol.oom_recovery import Action, MemoryUser, after_worker, scoring_remedy
from autotune.run.session import Session
from autotune.run.setup import SILENCE_SECONDS
from autotune.score.answers import count_answers
from autotune.score.report_check import EvaluationFailed

RESPONSES = "responses.jsonl"
"""The finished answers, in the folder of what they are made for."""

SCORES = "scores.json"
"""The report on them, beside them."""


class ModelRefused(EvaluationFailed):
    """The model cannot answer as it stands, which only who gave it can mend; says what and how."""


def answer_all(
    session: Session,
    job: GenerateJob,
    total: int,
    on_event: Callable[[WorkerEvent], None] = lambda _: None,
    what: str = "evaluation",
) -> None:
    """Have workers do a job to its end, which is `total` answers in the file `job.out`.

    Out of memory is what `oom_recovery` is for. After a crash or a hang a new process continues,
    unless the one before it added no answer: see `RetryLimit`. `what` the answers are for begins
    the warnings.

    Raises:
        ModelRefused: no worker could answer with this model, so no second one is asked.
        EvaluationFailed: the worker could not answer.
        EnvironmentFault: the disk is full, or something keeps killing the workers.
    """
    out, total, retry_limit = Path(job.out), max(1, total), RetryLimit()
    retry_limit.advance(count_answers(out) / total)
    while True:
        result = session.work(job, out.parent, silence_seconds=SILENCE_SECONDS, on_event=on_event)
        failure = result.failure
        if failure is None:
            return
        stop_on_environment(result)
        if failure in (Failure.BAD_JOB, Failure.NUMERIC):
            raise ModelRefused(result.reason)
        action = after_worker(MemoryUser.SCORING, failure, smaller=job.batch_size > 1)
        if action is Action.SHRINK_IN_NEW_PROCESS:
            job = job.model_copy(update={"batch_size": job.batch_size // 2})
            words = f"{what} ran out of memory; continuing with {job.batch_size} at a time"
        elif action is None and allows_retry(retry_limit, result, out, total):
            words = f"{what}: {with_remedy(result.reason)}; retrying in a new process"
        else:
            reason = f"{result.words}: {with_remedy(result.reason)}"
            raise EvaluationFailed(reason + scoring_remedy(failure))
        session.emit(events.Warned(message=words))


def allows_retry(retry_limit: RetryLimit, result: JobResult, out: Path, total: int) -> bool:
    """Count a worker's death; returns whether another one is worth it."""
    retry_limit.advance(count_answers(out) / total, kept=True)
    return retry_limit.allows_retry(result)
