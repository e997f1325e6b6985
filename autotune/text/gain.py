"""What training gained over the untrained model, in words: the same on every face of a run."""

from autotune.base.format import counted, percent
from autotune.protocol.gain import Gain, Improvement
from autotune.run.state import StudyState
from autotune.score.gain import improvement
from autotune.text.score import p_value_text

NOT_BETTER = "no better than the untrained model"
"""Said first, wherever a run is shown."""


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


def is_no_better(state: StudyState) -> bool:
    """Whether there is a best checkpoint, and it is no better than the untrained model."""
    gain = gain_of_best(state)
    return gain is not None and improvement(gain) is Improvement.NO_BETTER


def gain_sentence(state: StudyState) -> str | None:
    """Whether the best checkpoint is better than the untrained model; None where not known."""
    gain, best = gain_of_best(state), state.best
    if gain is None or best is None or best.score is None:
        return None
    figures = f"{counts_for_both(gain)}, on the same {counted(best.score.total, 'prompt')}"
    figures += _split(gain)
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
    full, untrained = state.best_in_full, state.beside_best_in_full.get("untrained")
    if full is None or untrained is None or untrained.gain is None:
        return None
    gain = untrained.gain
    words = {
        Improvement.NO_BETTER: f"is {NOT_BETTER} there",
        Improvement.WITHIN_NOISE: "is better than the untrained model there, but within noise",
        Improvement.BETTER: "is better than the untrained model there",
    }[improvement(gain)]
    return (
        f"The best checkpoint {words}: {counts_for_both(gain)}, on the same"
        f" {counted(full.score.total, 'prompt')}{_split(gain)}."
    )
