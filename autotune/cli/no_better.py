"""What `chat` and `export` say before anything else: that the model is no better than before."""

from pathlib import Path

from autotune.export.training import scored_at
from autotune.protocol.gain import Improvement
from autotune.run.folder import RunDir
from autotune.run.state import StudyState
from autotune.score.gain import improvement
from autotune.text.gain import (
    NOT_BETTER,
    counts_for_both,
    gain_in_full_sentence,
    gain_sentence,
    is_no_better,
)


def no_better_line(run: RunDir | None, state: StudyState | None, folder: Path) -> str | None:
    """The line on the model in `folder`; None where it is better, or nobody knows.

    On all prompts of a source where that is known of both models, else on the run's own.
    """
    scored = scored_at(run, state, folder) if run is not None and state is not None else None
    if scored is None or state is None:
        return None
    if scored is not state.best:
        gain = scored.gain
        if gain is None or improvement(gain) is not Improvement.NO_BETTER:
            return None
        return f"This checkpoint is {NOT_BETTER}: {counts_for_both(gain)}."
    if not is_no_better(state):
        return None
    return gain_in_full_sentence(state) or gain_sentence(state)
