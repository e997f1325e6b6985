"""From a model folder to a score: have a worker answer the prompts, then let the scorer judge."""

import math
from pathlib import Path

from autotune import events
from autotune.errors import AutotuneError
from autotune.evaluate.answers import read_answers
from autotune.evaluate.health import broken_limits, echo_answers
from autotune.evaluate.scorer import Scorer
from autotune.files import write_text_atomic
from autotune.job import GenerateJob
from autotune.outcome import Checkpoint, EvalReport
from autotune.session import Session
from autotune.setup import SILENCE_SECONDS, Setup
from autotune.study import meets
from autotune.trials import Ending, How


class EvaluationFailed(Exception):
    """This model has no valid score, and why."""


def answer_and_score(
    session: Session, setup: Setup, scorer: Scorer, folder: Path, name: str
) -> EvalReport:
    """Answer every prompt of the run with the model in `folder` and score the answers.

    Out of memory halves the batch and goes on; answers that are on disk are not made again.

    Raises:
        EvaluationFailed: the worker could not answer, or the scorer gave no valid report.
    """
    where = session.rundir.eval_folder(name)
    responses = where / "responses.jsonl"
    batch_size = setup.profile.evaluate.batch_size
    while True:
        ending = session.work(
            GenerateJob(
                device=setup.device_spec,
                model_folder=str(folder),
                prompts=str(session.rundir.prompts),
                out=str(responses),
                max_new_tokens=setup.profile.evaluate.max_new_tokens,
                batch_size=batch_size,
            ),
            where,
            silence_seconds=SILENCE_SECONDS,
        )
        if ending.how is How.DONE:
            break
        if not out_of_memory(ending) or batch_size == 1:
            raise EvaluationFailed(f"{ending.how}: {ending.reason}")
        batch_size //= 2
        session.note(
            events.Warned(message=f"evaluation ran out of memory; going on {batch_size} at a time")
        )
    try:
        report = scorer.score(setup.prompts, read_answers(responses))
        # A scorer is a port: what comes through it is checked like any outside value.
        report = EvalReport.model_validate_json(report.model_dump_json())
        if not (0.0 <= report.prompt_strict.accuracy <= 1.0) or report.n != len(setup.prompts):
            raise ValueError(f"accuracy {report.prompt_strict.accuracy} of n={report.n}")
    except AutotuneError:
        raise
    except Exception as error:
        raise EvaluationFailed(f"scorer {scorer.name}: {error}") from error
    write_text_atomic(where / "scores.json", report.model_dump_json(indent=1))
    return report


def out_of_memory(ending: Ending) -> bool:
    """Whether less at a time could help."""
    return ending.how in (How.OUT_OF_MEMORY, How.OVER_BUDGET)


def evaluate_checkpoint(
    session: Session,
    setup: Setup,
    scorer: Scorer,
    number: int,
    checkpoint: Checkpoint,
    target: float,
) -> events.Evaluated:
    """Score one checkpoint of trial `number`; a failure is an event with its `problem`."""
    try:
        report = answer_and_score(
            session,
            setup,
            scorer,
            Path(checkpoint.folder),
            f"trial-{number:04d}-step-{checkpoint.step:06d}",
        )
    except EvaluationFailed as error:
        return events.Evaluated(
            number=number,
            checkpoint=checkpoint,
            prompt_strict=None,
            instruction_strict=None,
            prompt_loose=None,
            instruction_loose=None,
            interval=None,
            health=None,
            met=False,
            problem=f"evaluation failed: {error}",
        )
    unhealthy = broken_limits(report.health, setup.profile.evaluate.health)
    assert math.isfinite(report.prompt_strict.accuracy)
    return events.Evaluated(
        number=number,
        checkpoint=checkpoint,
        prompt_strict=report.prompt_strict,
        instruction_strict=report.instruction_strict,
        prompt_loose=report.prompt_loose,
        instruction_loose=report.instruction_loose,
        interval=report.interval,
        health=report.health,
        met=meets(report.prompt_strict, unhealthy, target),
        unhealthy=unhealthy,
    )


def score_baselines(session: Session, setup: Setup, scorer: Scorer) -> None:
    """What a score must be compared with: the prompt given back, and the model before training."""
    if "echo" not in session.state.baselines:
        report = scorer.score(setup.prompts, echo_answers(setup.prompts))
        session.note(baseline("echo", report))
    if "untrained" not in session.state.baselines:
        try:
            report = answer_and_score(session, setup, scorer, setup.model_folder, "untrained")
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
