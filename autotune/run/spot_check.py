"""The prompts of a spot check: a few of another source, answered beside those that score.

They say how a model does on what it was not tuned for, and decide nothing: no target is held
against them, no checkpoint chosen by them. So a run goes without where they cannot be fetched.
"""

from dataclasses import dataclass

from autotune.base.errors import EnvironmentFault
from autotune.base.files import write_text_atomic
from autotune.config.profile import Profile, PromptChoice
from autotune.protocol import events
from autotune.run.inputs import read_source
from autotune.run.session import Session
from autotune.score.prompts import Prompt, subset, written_prompts
from autotune.score.registry import find_scorer
from autotune.sources.prompts import resolve_prompts
from autotune.sources.say import Say


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """Prompts that stand in the run folder, for the scorer of that name; what they are called."""

    prompts: tuple[Prompt, ...]
    label: str
    scorer: str


def keep_spot_check(session: Session, profile: Profile, say: Say) -> SpotCheck | None:
    """The prompts of a profile's spot check, written to the run folder once.

    None where the profile has none, or where they cannot be fetched, which is recorded.

    Raises:
        BadInput: there is no such file of prompts, or it is none.
    """
    choice = profile.spot_check
    if choice is None:
        return None
    try:
        source = resolve_prompts(choice.source, say)
    except EnvironmentFault as fault:
        if session.state.ended is None:
            session.emit(events.Warned(message=f"the spot check is left out: {fault}"))
        return None
    kept = _kept(session, choice)
    if kept is None:
        kept = read_source(find_scorer(choice.scorer), choice.source, source)
        if choice.limit != "all":
            kept = subset(kept, choice.limit, choice.seed)
        text = "".join(prompt.model_dump_json() + "\n" for prompt in kept)
        write_text_atomic(session.rundir.spot_check, text)
    return SpotCheck(kept, source.label, choice.scorer)


def _kept(session: Session, choice: PromptChoice) -> tuple[Prompt, ...] | None:
    """The prompts that the run wrote before; None where there are none, or they are damaged."""
    path = session.rundir.spot_check
    if not path.is_file():
        return None
    try:
        return written_prompts(path, find_scorer(choice.scorer).prompt_type)
    except EnvironmentFault:
        return None
