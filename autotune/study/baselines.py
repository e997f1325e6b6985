"""What a score is compared with: the scorer's baselines, and the model before training."""

from autotune.base.errors import BadInput
from autotune.protocol import events
from autotune.protocol.results import EvalReport
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.report_check import EvaluationFailed, checked_report
from autotune.score.scorer import Scorer
from autotune.study.answer import ModelRefused, answer_and_score, reported_prompts


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
    if "untrained" not in session.state.baselines:
        try:
            where = session.rundir.eval_folder("untrained")
            report = answer_and_score(session, setup, scorer, setup.model_folder, where)
        except ModelRefused as error:
            raise BadInput(str(error)) from error
        except EvaluationFailed as error:
            session.emit(events.Warned(message=f"the untrained model has no score: {error}"))
        else:
            session.emit(baseline("untrained", report))


def baseline(name: str, report: EvalReport) -> events.BaselineScored:
    """A baseline's event."""
    return events.BaselineScored.from_parts(report, name=name)
