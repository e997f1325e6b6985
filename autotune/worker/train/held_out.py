"""The loss on conversations that are held out of a training: which, and how it is measured.

It says what the training loss cannot: whether what is learned holds for conversations that were
never seen. The parent decides by it (`train/divergence.py`).
"""

import math
import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.held_out import HELD_OUT_PHASE
from autotune.protocol.plan import TrainPlan
from autotune.worker.channel import Pipe
from autotune.worker.compute import Compute
from autotune.worker.oom import StepRecovery
from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.train.step import Stepper


def split(rows: Sequence[Row], held_out: int, seed: int) -> tuple[list[Row], list[Row]]:
    """The rows to train on and those that are held out, each in order, by the plan's seed alone.

    A family is held out as a whole or not at all: of an answer that was trained on in another
    form, the loss falls without anything being learned that holds elsewhere. Only where what is
    left are families larger than the number that is still wanted, one of them is divided.
    """
    families = defaultdict[str, list[int]](list)
    for at, row in enumerate(rows):
        families[row.family or f"row {at}"].append(at)
    drawn = list(families.values())
    random.Random(f"held out {seed}").shuffle(drawn)
    chosen = set[int]()
    divided = list[int]()
    for family in drawn:
        if len(chosen) + len(family) <= held_out:
            chosen.update(family)
        else:
            divided += family
    chosen.update(divided[: held_out - len(chosen)])
    trained = [row for at, row in enumerate(rows) if at not in chosen]
    return trained, [rows[at] for at in sorted(chosen)]


@dataclass
class HeldOutRows:
    """The rows that are held out of one training, and the steps after which they are measured.

    `known` are those whose loss is on record.
    """

    rows: Sequence[Row]
    plan: TrainPlan
    known: Collection[int]

    def measure(self, recovery: StepRecovery, pipe: Pipe, step: int) -> None:
        """Measure and report the loss after `step` steps, if it is due there and not known."""
        if step not in self.plan.held_out_steps or step in self.known:
            return
        loss = recovery.between_steps(partial(held_out_loss, recovery.stepper, self.rows), step)
        self.known = {*self.known, step}
        pipe.emit(
            events.HeldOutLoss(
                step=step,
                progress=step / self.plan.total_steps,
                loss=loss,
                conversations=len(self.rows),
            )
        )


def held_out_loss(stepper: Stepper, rows: Sequence[Row]) -> float | None:
    """The mean loss of the rows' supervised tokens, None where it is not finite.

    Without gradients, dropout or noise, in micro-batches of the training's and in its precision.
    What overflows in fp16 says nothing of the weights, so it is measured again in bf16.
    """
    loss = _mean_loss(stepper, rows, stepper.compute)
    if not math.isfinite(loss) and stepper.compute.precision is Precision.FP16:
        loss = _mean_loss(stepper, rows, replace(stepper.compute, precision=Precision.BF16))
    return loss if math.isfinite(loss) else None


def _mean_loss(stepper: Stepper, rows: Sequence[Row], compute: Compute) -> float:
    supervised = sum(label != IGNORED for row in rows for label in row.labels[1:])
    model = stepper.loaded.model

    def own_sum() -> float:
        """Over this rank's micro-batches."""
        sums = [torch.zeros((), device=compute.device)]
        for piece in stepper.own_pieces(rows):
            stepper.enter(HELD_OUT_PHASE)  # each is a sign of life
            with compute.autocast():
                sums.append(stepper.summed(piece))
        return float(torch.stack(sums).double().sum())

    model.eval()
    try:
        with torch.no_grad(), stepper.attention():
            return stepper.ranks.sum(stepper.ranks.together(own_sum)) / supervised
    finally:
        model.train()
