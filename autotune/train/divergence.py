"""When a training diverges: what it learns makes conversations that it has not seen less likely.

The loss on held-out conversations is held against the one before training, not against its own
least: it rises late in most long trainings while the answers still get better, so a rise by itself
says nothing. Nor does a little more than before: a model that practises on its own answers knew
their kind best untrained, and what it learns is to keep to rules and to stop.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from autotune.base.format import counted, percent, rate_text
from autotune.protocol.events import HeldOutLoss
from autotune.protocol.plan import TrainPlan

WORSE = 1.25
"""Times the loss before training that two points in a row show a divergence. See docs/train.md."""

MUCH_WORSE = 1.5
"""Times the loss before training that one point alone shows one."""

FEWEST_JUDGED = 10
"""Held-out conversations below which nothing is ended: see docs/train.md."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The loss before training, and the first that says that the training diverges."""

    before: HeldOutLoss
    at: HeldOutLoss


def divergence(losses: Iterable[HeldOutLoss]) -> Divergence | None:
    """The point at which a training diverged, if it did.

    That is above `WORSE` times the loss before training twice in a row, or above `MUCH_WORSE` times
    it once, or at a loss that is no finite number. Once alone may be the height of the learning
    rate.
    """
    ordered = sorted(losses, key=lambda measured: measured.step)
    if not ordered or ordered[0].step > 0 or ordered[0].conversations < FEWEST_JUDGED:
        return None
    before, *later = ordered
    if before.loss is None:
        return None
    was_above = False
    for at in later:
        is_above = at.loss is None or at.loss > WORSE * before.loss
        if at.loss is None or at.loss > MUCH_WORSE * before.loss or (is_above and was_above):
            return Divergence(before, at)
        was_above = is_above
    return None


def divergence_sentence(found: Divergence, plan: TrainPlan) -> str:
    """What was seen, the two losses, and what to change."""
    before, at = found.before, found.at
    now = "no finite number" if at.loss is None else f"{at.loss:.3f}"
    return (
        f"it diverges: the loss on {counted(at.conversations, 'held-out conversation')} is {now}"
        f" after {percent(at.progress, 0)} of the steps and was {before.loss:.3f} before training;"
        f" lower learning_rate (now {rate_text(plan.learning_rate)})"
    )
