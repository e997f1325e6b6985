"""What a score is compared with: the scorer's baselines, and the model before training."""

from pathlib import Path

from autotune.base.errors import BadInput
from autotune.protocol import events
from autotune.protocol.events import KindsApart
from autotune.protocol.results import EvalReport
from autotune.run.answering import RESPONSES, ModelRefused
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.answers import count_answers, read_answers
from autotune.score.report_check import EvaluationFailed, checked_report
from autotune.score.scorer import Scorer
from autotune.study.answer import answer_and_score, reported_prompts, score_answers
from autotune.study.held_out_kinds import kinds_of


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
            begun, had = session.clock(), count_answers(where / RESPONSES)
            report = answer_and_score(session, setup, scorer, setup.model_folder, where)
            took = session.clock() - begun
        except ModelRefused as error:
            raise BadInput(str(error)) from error
        except EvaluationFailed as error:
            session.emit(events.Warned(message=f"the untrained model has no score: {error}"))
        else:
            pace = answered_pace(where / RESPONSES, had, took)
            kinds = kinds_of(session.state, report)
            session.emit(baseline("untrained", report, *pace, kinds=kinds))


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


def answered_pace(responses: Path, had: int, took: float) -> tuple[float | None, int | None]:
    """Seconds that all answers of a file take, and the tokens that they have.

    `took` seconds made those beyond the first `had`, which an interrupted run left: None where that
    says nothing about the rest.
    """
    answers = read_answers(responses)
    made = len(answers) - had
    known = [answer.new_tokens for answer in answers if answer.new_tokens is not None]
    seconds = took * len(answers) / made if made > 0 else None
    return seconds, sum(known) if len(known) == len(answers) else None


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
