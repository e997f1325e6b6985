"""What training gained over the untrained model, in words: the same on every face of a run."""

from autotune.base.format import counted, percent
from autotune.protocol.gain import Gain, Improvement
from autotune.run.state import StudyState
from autotune.score.gain import improvement
from autotune.text.score import p_value_text

NOT_BETTER = "no better than the untrained model"
"""Said first, wherever a run is shown."""

_WORDS = {
    Improvement.NO_BETTER: NOT_BETTER,
    Improvement.WITHIN_NOISE: "better than the untrained model, but within noise",
    Improvement.BETTER: "better than the untrained model",
}


def gain_of_best(state: StudyState) -> Gain | None:
    """Of the best checkpoint; None before there is one with a full score, and one to compare.

    Records of older versions have no comparison: there the scores themselves are compared.
    """
    best, untrained = state.best, state.baselines.get("untrained")
    if best is None or best.score is None or best.partial is not None:
        return None
    if best.gain is not None or untrained is None:
        return best.gain
    return Gain(before=untrained.score.accuracy, after=best.score.accuracy)


def gain_in_full(state: StudyState) -> Gain | None:
    """The same on all prompts of a source; None where not both models answered these."""
    untrained = state.beside_best_in_full.get("untrained")
    return None if state.best_in_full is None or untrained is None else untrained.gain


def is_no_better(state: StudyState) -> bool:
    """Whether there is a best checkpoint, and it is no better than the untrained model.

    On all prompts of a source, where that is known: that decides more than the run's own prompts.
    """
    gain = gain_in_full(state) or gain_of_best(state)
    return gain is not None and improvement(gain) is Improvement.NO_BETTER


def gain_sentence(state: StudyState) -> str | None:
    """Whether the best checkpoint is better than the untrained model; None where not known.

    Where that is known on all prompts of a source (`gain_in_full_sentence`), it goes second to it.
    """
    gain, best = gain_of_best(state), state.best
    if gain is None or best is None or best.score is None:
        return None
    figures = f"{counts_for_both(gain)}, on the same {counted(best.score.total, 'prompt')}"
    figures += _split(gain)
    if gain_in_full(state) is not None:
        return f"On the run's own prompts it is {_WORDS[improvement(gain)]}: {figures}."
    match improvement(gain):
        case Improvement.NO_BETTER:
            return (
                f"The best checkpoint is {NOT_BETTER}: {figures}. It is in best/, but using the"
                " model as it was is no worse."
            )
        case Improvement.WITHIN_NOISE:
            return (
                f"The best checkpoint is better than the untrained model, but within noise:"
                f" {figures}."
            )
        case Improvement.BETTER:
            chosen = state.scored_checkpoints > 1 and best.chosen_by is None
            choice = (
                f" That is without its choice among"
                f" {counted(state.scored_checkpoints, 'checkpoint')}."
            )
            return (
                f"The best checkpoint is better than the untrained model: {figures}."
                f"{choice if chosen else ''}"
            )


def counts_for_both(gain: Gain) -> str:
    """What a checkpoint counts for, and what the untrained model does."""
    return f"it counts for {percent(gain.after)} and the untrained model for {percent(gain.before)}"


def _split(gain: Gain) -> str:
    if gain.p_value is None:
        return ""
    return f" ({gain.gained} gained, {gain.lost} lost; exact McNemar, {p_value_text(gain.p_value)})"


def gain_in_full_sentence(state: StudyState) -> str | None:
    """The same on all prompts of a source, where both models answered them; else None."""
    full, gain = state.best_in_full, gain_in_full(state)
    if full is None or gain is None:
        return None
    return (
        f"On all {counted(full.score.total, 'prompt')} of {full.prompts} the best checkpoint is"
        f" {_WORDS[improvement(gain)]}: {counts_for_both(gain)}{_split(gain)}."
    )
