"""What a score is compared with: the prompt given back, and the model before training."""

from autotune.base.errors import BadInput
from autotune.protocol import events
from autotune.protocol.results import EvalReport
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.checked import EvaluationFailed, checked_report
from autotune.score.health import echo_answers
from autotune.score.scorer import Scorer
from autotune.study.answer import ModelRefused, answer_and_score, reported_prompts


def score_baselines(session: Session, setup: Setup, scorer: Scorer) -> None:
    """What a score must be compared with: the prompt given back, and the model before training.

    Raises:
        BadInput: the model cannot answer, so it is not worth training either.
    """
    if "echo" not in session.state.baselines:
        try:
            asked = reported_prompts(setup)
            report = checked_report(scorer, asked, echo_answers(asked))
        except EvaluationFailed as error:
            session.note(events.Warned(message=f"the echo of the prompts has no score: {error}"))
        else:
            session.note(baseline("echo", report))
    if "untrained" not in session.state.baselines:
        try:
            where = session.rundir.eval_folder("untrained")
            report = answer_and_score(session, setup, scorer, setup.model_folder, where)
        except ModelRefused as error:
            raise BadInput(str(error)) from error
        except EvaluationFailed as error:
            session.note(events.Warned(message=f"the untrained model has no score: {error}"))
        else:
            session.note(baseline("untrained", report))


def baseline(name: str, report: EvalReport) -> events.BaselineScored:
    """A baseline's event."""
    return events.BaselineScored(
        name="echo" if name == "echo" else "untrained",
        prompt_strict=report.prompt_strict,
        interval=report.interval,
        health=report.health,
    )
