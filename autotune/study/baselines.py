"""What a score is compared with: the scorer's baselines, and the model before training."""

from pathlib import Path

from autotune.base.errors import BadInput
from autotune.protocol import events
from autotune.protocol.events import KindsApart
from autotune.protocol.results import EvalReport
from autotune.run.answering import RESPONSES, ModelRefused
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.answers import read_answers
from autotune.score.report_check import EvaluationFailed, checked_report
from autotune.score.scorer import Scorer
from autotune.study.answer import generate_job, reported_prompts, score_answers, with_warning
from autotune.study.held_out_kinds import kinds_of
from autotune.study.untrained import answer_untrained


def score_baselines(session: Session, setup: Setup, scorer: Scorer) -> None:
    """What a score must be compared with: the scorer's baselines, and the model before training.

    Raises:
        BadInput: the model cannot answer, so it is not worth training either.
    """
    for each in scorer.baselines:
        if each.name in session.state.baselines:
            continue
        try:
            asked = reported_prompts(setup)
            report = checked_report(scorer, asked, each.answers(asked))
        except EvaluationFailed as error:
            session.emit(events.Warned(message=f"{each.described} has no score: {error}"))
        else:
            session.emit(baseline(each.name, report))
    where = session.rundir.eval_folder("untrained")
    if "untrained" in session.state.baselines:
        add_kinds(session, setup, scorer, where)
    else:
        try:
            file = session.rundir.prompts
            job = generate_job(setup, setup.model_folder, file, where, scorer.name)
            seconds = answer_untrained(session, setup, job, setup.prompts)
            report = with_warning(session, where, score_answers(setup, scorer, where))
        except ModelRefused as error:
            raise BadInput(str(error)) from error
        except EvaluationFailed as error:
            session.emit(events.Warned(message=f"the untrained model has no score: {error}"))
        else:
            new_tokens = tokens_of(where / RESPONSES)
            kinds = kinds_of(session.state, report)
            session.emit(baseline("untrained", report, seconds, new_tokens, kinds=kinds))


def add_kinds(session: Session, setup: Setup, scorer: Scorer, where: Path) -> None:
    """Count apart what practice holds out, of answers from before the run came to practise.

    Without these answers in `where` they are not known.
    """
    known = session.state.baselines["untrained"]
    if known.kinds or not session.state.practice_found or not (where / RESPONSES).is_file():
        return
    try:
        kinds = kinds_of(session.state, score_answers(setup, scorer, where))
    except EvaluationFailed:
        return  # as it was: the score itself is on record
    if kinds:
        session.emit(known.model_copy(update={"kinds": kinds}))


def tokens_of(responses: Path) -> int | None:
    """Tokens of all answers of a file; None where one of them has no number."""
    known = [answer.new_tokens for answer in read_answers(responses)]
    counted = [tokens for tokens in known if tokens is not None]
    return sum(counted) if len(counted) == len(known) else None


def baseline(
    name: str,
    report: EvalReport,
    seconds: float | None = None,
    new_tokens: int | None = None,
    kinds: tuple[KindsApart, ...] = (),
) -> events.BaselineScored:
    """A baseline's event."""
    return events.BaselineScored.from_parts(
        report, name=name, seconds=seconds, new_tokens=new_tokens, kinds=kinds
    )
