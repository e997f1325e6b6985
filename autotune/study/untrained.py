"""The model before training answers: anew, or as it did in an earlier run on this machine."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from autotune.base.format import counted, duration
from autotune.protocol import events
from autotune.protocol.job import GenerateJob
from autotune.run.answering import answer_all
from autotune.run.kept_answers import keep_answers, take_kept
from autotune.run.session import Session
from autotune.run.setup import Setup
from autotune.score.answers import count_answers, read_answers
from autotune.score.prompts import Prompt
from autotune.sources.digest import sha256_of


def answer_untrained(
    session: Session,
    setup: Setup,
    job: GenerateJob,
    prompts: Sequence[Prompt],
    what: str = "evaluation",
) -> float | None:
    """Have all prompts of a job answered; returns the seconds that all answers took, if known.

    Raises:
        EvaluationFailed, EnvironmentFault: as `answer_all`.
    """
    out = Path(job.out)
    asked = _digest_of(setup, Path(job.prompts))
    had = count_answers(out)
    kept = take_kept(setup, prompts, asked, out) if not had else None
    if kept is not None:
        session.emit(
            events.Notice(
                about="kept_answers",
                sentence=kept_sentence(len(kept.answers), kept.seconds, kept.time),
            )
        )
        return kept.seconds
    begun = session.clock()
    answer_all(session, job, len(prompts), what=what)
    took = session.clock() - begun
    answers = read_answers(out)
    made = len(answers) - had
    if made <= 0:
        return None
    seconds = took * len(answers) / made
    if not had:  # else some may be of another version, or other rows
        keep_answers(setup, answers, asked, seconds)
    return seconds


def _digest_of(setup: Setup, prompts: Path) -> str:
    """Of the prompts that are asked; empty where nothing can be kept by it."""
    try:
        return "" if setup.content is None else sha256_of(prompts)
    except OSError:  # the worker, which reads it next, says what is the matter
        return ""


def kept_sentence(answers: int, seconds: float, time: float) -> str:
    """Whose answers are taken, and how much time that spares."""
    day = datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M")
    return (
        f"the untrained model's {counted(answers, 'answer')} are those of {day} on this machine, by"
        f" the same weights, prompts, settings and program, which took {duration(seconds)}; with"
        " --set evaluate.reuse_untrained=false it answers again"
    )
