"""What an interrupted command leaves behind, in words."""

from pathlib import Path

from autotune.base.errors import Interruption
from autotune.base.format import counted
from autotune.run.state import StudyState


def interrupted_run(state: StudyState, root: Path) -> Interruption:
    """Of a probe or a run: what its folder keeps that is not done again."""
    if not root.exists():
        return interrupted_look()
    kept = ", ".join(_kept(state))
    if not kept:
        return Interruption(f"{root} holds nothing finished yet; to resume there", root)
    return Interruption(f"{root} keeps {kept}; to resume", root)


def interrupted_eval(answered: int, asked: int, root: Path) -> Interruption:
    """Of an evaluation: how many answers are on disk."""
    if not answered:
        return _without_answers(root)
    return Interruption(f"{root} keeps {answered} of {counted(asked, 'answer')}; to resume", root)


def interrupted_practice(answered: int, asked: int, root: Path) -> Interruption:
    """Of `synth`: how many answers are on disk, of how many, as far as that is known (else 0)."""
    if not answered:
        return _without_answers(root)
    of = f" of {asked}" if answered < asked else ""  # of fewer tasks than before
    return Interruption(f"{root} keeps {counted(answered, 'answer')}{of}; to resume", root)


def interrupted_look() -> Interruption:
    """Of a command that only looks: nothing."""
    return Interruption("nothing is left behind; to begin again")


def _without_answers(root: Path) -> Interruption:
    """A folder that an earlier process began is not this one's to remove."""
    if not root.exists():
        return interrupted_look()
    return Interruption(f"{root} holds no answer yet; to resume there", root)


def _kept(state: StudyState) -> list[str]:
    found = [_count(len(state.probe_trials), "trial", "of the probe")] if not state.fit else []
    if state.fit is not None:
        found.append("what fits")
    if state.baselines:
        found.append(_count(len(state.baselines), "baseline"))
    for trial in state.trials:
        last = trial.last_step
        if trial.ended is None and trial.is_training and last is not None:
            found.append(f"trial {trial.number} at step {last.step} or a little before")
    saved = sum(len(trial.checkpoints) for trial in state.trials)
    if saved:
        found.append(_count(saved, "checkpoint", f"({state.scored_checkpoints} scored)"))
    return [each for each in found if each]


def _count(number: int, what: str, more: str = "") -> str:
    return f"{counted(number, what)} {more}".rstrip() if number else ""
