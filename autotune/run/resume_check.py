"""A run resumes with what it began with: the same data, prompts and model, or not at all."""

from pathlib import Path

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.files import write_text_atomic
from autotune.protocol.events import Content
from autotune.run.content import REMEDY, demand_fingerprint, demand_same
from autotune.run.session import Session
from autotune.score.prompts import Prompt, written_prompts
from autotune.sources.digest import has_digest
from autotune.sources.say import Say


def demand_same_content(session: Session, content: Content, model: str) -> None:
    """Refuse to resume with other content than the run of this folder began with.

    Raises:
        BadInput: data, prompts or model have changed.
    """
    state = session.state
    if state.content is not None:
        demand_same(state.content, content, model)
    elif state.fit is not None:
        demand_fingerprint(state.fit.fingerprint, content)


def keep_prompts(
    session: Session,
    chosen: tuple[Prompt, ...],
    text: str,
    content: Content,
    say: Say,
) -> tuple[Prompt, ...]:
    """The prompts that score, and their file in the run folder: written once, mended if damaged.

    Of a run of an older version, which kept no digests, the file itself says what was asked.

    Raises:
        BadInput: the file is not what the run began with, and cannot be made again.
    """
    path, began = session.rundir.prompts, session.state.content
    if began is not None:
        if has_digest(path, began.scored):
            return written_prompts(path, type(chosen[0]))
        if content.scored != began.scored:
            raise BadInput(
                f"{path}: has changed since this run began, and this version of the tool chooses"
                f" other prompts; {REMEDY}"
            )
        say(f"{path.name} was changed or lost: written again, as it was when this run began")
    elif session.state.baselines or session.state.trials:
        demand_same_prompts(path, chosen)
    write_text_atomic(path, text)
    return chosen


def demand_same_prompts(path: Path, chosen: tuple[Prompt, ...]) -> None:
    """Refuse to score by other prompts than those in a run's file; a damaged one says nothing.

    Raises:
        BadInput: they are others.
    """
    try:
        asked = written_prompts(path, type(chosen[0]))
    except EnvironmentFault:
        return
    if asked != chosen:
        raise BadInput(
            f"{path}: holds other prompts than would be asked now, so the prompts' file has changed"
            f" since this run began; {REMEDY}"
        )
