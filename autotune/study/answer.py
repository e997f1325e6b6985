"""From a model folder to a score: have a worker answer the prompts, then let the scorer judge."""

from collections.abc import Callable
from pathlib import Path

from autotune.base.files import write_text_atomic
from autotune.launch import JobResult
from autotune.launch.retries import RetryLimit
from autotune.launch.worker_errors import stop_on_environment, with_remedy
from autotune.protocol import events
from autotune.protocol.choices import Think
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import GenerateJob
from autotune.protocol.oom_recovery import Action, MemoryUser, after_worker, scoring_remedy
from autotune.protocol.results import EvalReport
from autotune.run.session import Session
from autotune.run.setup import SILENCE_SECONDS, Setup
from autotune.score.answers import count_answers, read_answers
from autotune.score.prompt_order import halves
from autotune.score.prompts import Prompt
from autotune.score.report_check import EvaluationFailed, checked_report
from autotune.score.scorer import Scorer
from autotune.score.stopping.stop_rule import (
    EvaluationFollower,
    StoppedEvaluation,
    StopRule,
    keep_verdicts,
)
from autotune.text.score import judged_line

RESPONSES = "responses.jsonl"
"""The finished answers, in the folder of their evaluation."""


class ModelRefused(EvaluationFailed):
    """The model cannot answer as it stands, which only who gave it can mend; says what and how."""


class _StopEvaluation(Exception):
    """Ends a worker whose further answers are not worth waiting for."""

    def __init__(self, stopped: StoppedEvaluation) -> None:
        super().__init__(stopped)
        self.stopped = stopped


def answer_and_score(
    session: Session, setup: Setup, scorer: Scorer, folder: Path, where: Path
) -> EvalReport:
    """Answer every prompt of the run with the model in `folder` and score the answers.

    The answers and what came of them are kept in `where`. With a holdout the report is on the half
    that is reported.

    Raises:
        EvaluationFailed: the worker could not answer, or the scorer gave no valid report.
        EnvironmentFault: the disk is full, or torch cannot be loaded.
    """
    answer(session, setup, folder, where)
    return with_warning(session, where, score_answers(setup, scorer, where))


def score_answers(setup: Setup, scorer: Scorer, where: Path) -> EvalReport:
    """Score the answers in `where` and write down what came of it.

    Raises:
        EvaluationFailed: the scorer gave no valid report.
    """
    think = setup.profile.evaluate.think
    answers = read_answers(where / RESPONSES)
    report = checked_report(scorer, reported_prompts(setup), answers, think)
    write_text_atomic(where / "scores.json", report.model_dump_json(indent=1))
    keep_verdicts(where, {verdict.key: verdict.strict for verdict in report.verdicts})
    return report


def with_warning(session: Session, where: Path, report: EvalReport) -> EvalReport:
    """The report, after a warning where it matters which text of the answers was judged."""
    keeps = report.think is Think.KEEP
    if report.thoughts if keeps else report.unfinished_thoughts:
        session.emit(events.Warned(message=f"{where.name}: {judged_line(report)}"))
    return report


def answer_early(
    session: Session, setup: Setup, scorer: Scorer, folder: Path, where: Path, rule: StopRule
) -> EvalReport | StoppedEvaluation:
    """The same, but no further than `rule` allows.

    A report where that was to the end and every answer was finished.

    Raises:
        EvaluationFailed, EnvironmentFault: as `answer_and_score`.
    """
    following = EvaluationFollower(rule, where / RESPONSES)

    def look() -> StoppedEvaluation | None:
        for prompt, given in following.new_answers():
            report = checked_report(scorer, [prompt], [given])
            following.strict[prompt.key] = report.score.passes == 1
        return following.look()

    def on_event(event: WorkerEvent) -> None:
        if isinstance(event, events.Answered) and (stopped := look()) is not None:
            raise _StopEvaluation(stopped)

    stopped = look()
    if stopped is None:
        try:
            answer(session, setup, folder, where, on_event, setup.profile.prompts.seed)
            stopped = look() or following.end()
        except _StopEvaluation as enough:
            stopped = enough.stopped
    if stopped is None:
        return with_warning(session, where, score_answers(setup, scorer, where))
    keep_verdicts(where, stopped.strict)
    return stopped


def answer(
    session: Session,
    setup: Setup,
    folder: Path,
    where: Path,
    on_event: Callable[[WorkerEvent], None] = lambda _: None,
    early_seed: int | None = None,
) -> None:
    """Have a worker answer what is not answered yet, into `where`.

    Out of memory is what `oom_recovery` is for. After a crash or a hang a new process continues,
    unless the one before it added no answer: see `RetryLimit`. Answers that are on disk are not
    made again. `early_seed` as in the job.

    Raises:
        ModelRefused: no worker could answer with this model, so no second one is asked.
        EvaluationFailed: the worker could not answer.
        EnvironmentFault: the disk is full, or something keeps killing the workers.
    """
    batch_size = setup.profile.evaluate.batch_size
    retry_limit, prompts = RetryLimit(), max(1, len(setup.prompts))
    retry_limit.advance(count_answers(where / RESPONSES) / prompts)
    while True:
        result = session.work(
            GenerateJob(
                device=setup.work_device,
                model_folder=str(folder),
                prompts=str(session.rundir.prompts),
                out=str(where / RESPONSES),
                max_new_tokens=setup.profile.evaluate.max_new_tokens,
                batch_size=batch_size,
                prefill_tokens=setup.prefill_tokens,
                early_seed=early_seed,
                scorer=setup.profile.prompts.scorer,
                supervision=setup.data.supervision,
            ),
            where,
            silence_seconds=SILENCE_SECONDS,
            on_event=on_event,
        )
        failure = result.failure
        if failure is None:
            return
        stop_on_environment(result)
        if failure in (Failure.BAD_JOB, Failure.NUMERIC):
            raise ModelRefused(result.reason)
        action = after_worker(MemoryUser.SCORING, failure, smaller=batch_size > 1)
        if action is Action.SHRINK_IN_NEW_PROCESS:
            batch_size //= 2
            words = f"evaluation ran out of memory; continuing with {batch_size} at a time"
        elif action is None and allows_retry(retry_limit, result, where, prompts):
            words = f"evaluation: {with_remedy(result.reason)}; retrying in a new process"
        else:
            reason = f"{result.words}: {with_remedy(result.reason)}"
            raise EvaluationFailed(reason + scoring_remedy(failure))
        session.emit(events.Warned(message=words))


def allows_retry(retry_limit: RetryLimit, result: JobResult, where: Path, prompts: int) -> bool:
    """Count a worker's death; returns whether another one is worth it."""
    retry_limit.advance(count_answers(where / RESPONSES) / prompts, kept=True)
    return retry_limit.allows_retry(result)


def reported_prompts(setup: Setup) -> tuple[Prompt, ...]:
    """The prompts whose score is reported: all, or the half that has no part in the choice."""
    if not setup.profile.evaluate.holdout:
        return setup.prompts
    return halves(setup.prompts, setup.profile.prompts.seed)[1]


def choosing_report(setup: Setup, scorer: Scorer, where: Path) -> EvalReport | None:
    """The report on the half that checkpoints are chosen by; None without a holdout.

    Raises:
        EvaluationFailed: the scorer gave no valid report.
    """
    if not setup.profile.evaluate.holdout:
        return None
    choosing, _ = halves(setup.prompts, setup.profile.prompts.seed)
    answers = read_answers(where / RESPONSES)
    think = setup.profile.evaluate.think
    return checked_report(scorer, choosing, answers, think)
