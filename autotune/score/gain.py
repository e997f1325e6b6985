"""Whether a checkpoint is an improvement on the untrained model. Decided here, for all who say it.

By what both scores count for (`score.lift`), on the same prompts; whether more is more than noise,
the exact test of the verdicts says, prompt by prompt (`score.stats.mcnemar`).
"""

from collections.abc import Mapping

from autotune.protocol.gain import Gain, Improvement
from autotune.score.stats import SIGNIFICANCE_LEVEL, mcnemar


def gain_of(
    before: float, after: float, untrained: Mapping[int, bool], trained: Mapping[int, bool]
) -> Gain:
    """The gain of a checkpoint.

    Args:
        before: what the untrained model's score counts for, 0..1.
        after: what the checkpoint's counts for.
        untrained: the strict verdicts of the one, by prompt key.
        trained: those of the other. Of other prompts, they are not compared.
    """
    if not trained or untrained.keys() != trained.keys():
        return Gain(before=before, after=after)
    keys = sorted(trained)
    paired = mcnemar([untrained[key] for key in keys], [trained[key] for key in keys])
    return Gain(
        before=before,
        after=after,
        gained=paired.only_second,
        lost=paired.only_first,
        p_value=paired.p_value,
    )


def improvement(gain: Gain) -> Improvement:
    """What the gain says.

    A checkpoint whose score counts for no more is no better, whatever the test says. One that
    counts for more is better only where it also passes more prompts, and by more than chance would
    give one time in twenty; where that is not known, nothing shows that it is.
    """
    if gain.after <= gain.before:
        return Improvement.NO_BETTER
    if gain.gained is None or gain.lost is None or gain.p_value is None:
        return Improvement.WITHIN_NOISE
    better = gain.gained > gain.lost and gain.p_value <= SIGNIFICANCE_LEVEL
    return Improvement.BETTER if better else Improvement.WITHIN_NOISE
