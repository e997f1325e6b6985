"""A spot check: a few prompts that decide nothing, answered before training and by the best."""

from pathlib import Path
from typing import Literal

from autotune.protocol import events
from autotune.protocol.results import Checkpoint
from autotune.run.answering import RESPONSES, answer_all
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.answers import read_answers
from autotune.score.registry import find_scorer
from autotune.score.report_check import EvaluationFailed, checked_report
from autotune.study.answer import generate_job
from autotune.study.best import weights_of
from autotune.study.precision import as_trained
from autotune.study.untrained import answer_untrained


def check_untrained(session: Session, setup: Setup) -> None:
    """Have the model before training answer, unless it has."""
    if setup.spot_check is not None and "untrained" not in session.state.spot_checks:
        _check(session, setup, "untrained", setup.model_folder)


def check_best(session: Session, setup: Setup) -> None:
    """Have the best checkpoint answer, unless it has; in the precision that it was trained in.

    Without the answers of the model before training there is nothing to hold them against.
    """
    best, checks = session.state.best, session.state.spot_checks
    if setup.spot_check is None or best is None or "untrained" not in checks:
        return
    known = checks.get("best")
    if known is not None and (known.number, known.checkpoint) == (best.number, best.checkpoint):
        return
    state = session.state
    folder = weights_of(session.rundir, state, best)
    trained = as_trained(setup, state.trials[best.number])
    _check(session, trained, "best", folder, best.number, best.checkpoint)


def _check(
    session: Session,
    setup: Setup,
    of: Literal["untrained", "best"],
    folder: Path,
    number: int | None = None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Have a model answer, and record its score. One that it cannot have is no reason to stop."""
    chosen = setup.spot_check
    assert chosen is not None
    of_trial = None if checkpoint is None or number is None else (number, checkpoint)
    where = session.rundir.spot_check_eval(of_trial)
    job = generate_job(setup, folder, session.rundir.spot_check, where, chosen.scorer)
    try:
        if of == "untrained":
            answer_untrained(session, setup, job, chosen.prompts, what="spot check")
        else:
            answer_all(session, job, len(chosen.prompts), what="spot check")
        answers = read_answers(where / RESPONSES)
        scorer, think = find_scorer(chosen.scorer), setup.profile.evaluate.think
        report = checked_report(scorer, chosen.prompts, answers, think)
    except EvaluationFailed as error:
        session.emit(events.Warned(message=f"spot check of {of}: no score: {error}"))
        return
    session.emit(
        events.SpotChecked.from_parts(
            report,
            of=of,
            prompts=chosen.label,
            scorer=chosen.scorer,
            max_new_tokens=job.max_new_tokens,
            number=number,
            checkpoint=checkpoint,
        )
    )
