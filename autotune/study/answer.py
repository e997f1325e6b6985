"""From a model folder to a score: have a worker answer the prompts, then let the scorer judge."""

from collections.abc import Callable
from pathlib import Path

from autotune.base.files import write_text_atomic
from autotune.protocol import events
from autotune.protocol.choices import Think
from autotune.protocol.events import WorkerEvent
from autotune.protocol.job import GenerateJob
from autotune.protocol.results import EvalReport
from autotune.run.answering import RESPONSES, SCORES, answer_all
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.answers import read_answers
from autotune.score.prompt_order import halves
from autotune.score.prompts import Prompt
from autotune.score.report_check import checked_report
from autotune.score.scorer import Scorer
from autotune.score.stopping.stop_rule import (
    EvaluationFollower,
    StoppedEvaluation,
    StopRule,
    keep_verdicts,
)
from autotune.text.score import judged_line


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
    write_text_atomic(where / SCORES, report.model_dump_json(indent=1))
    keep_verdicts(where, strict_of(report))
    return report


def strict_of(report: EvalReport) -> dict[int, bool]:
    """The strict verdicts by prompt key."""
    return {verdict.key: verdict.strict for verdict in report.verdicts}


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
    asked: Path | None = None,
) -> None:
    """Have a worker answer what is not answered yet, into `where`; see `answer_all`.

    `early_seed` as in the job. `asked` is the file of the setup's prompts, where these are others
    than the run's.

    Raises:
        ModelRefused, EvaluationFailed, EnvironmentFault: as `answer_all`.
    """
    scorer = setup.profile.prompts.scorer
    job = generate_job(setup, folder, asked or session.rundir.prompts, where, scorer)
    job = job.model_copy(update={"early_seed": early_seed})
    answer_all(session, job, len(setup.prompts), on_event)


def generate_job(
    setup: Setup, folder: Path, prompts: Path, where: Path, scorer: str
) -> GenerateJob:
    """The job of answering a file of prompts of a scorer as an evaluation does, into `where`."""
    return GenerateJob(
        device=setup.work_device,
        model_folder=str(folder),
        prompts=str(prompts),
        out=str(where / RESPONSES),
        max_new_tokens=setup.profile.evaluate.max_new_tokens,
        batch_size=setup.profile.evaluate.batch_size,
        prefill_tokens=setup.prefill_tokens,
        scorer=scorer,
        supervision=setup.data.supervision,
    )


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
