"""Numbers that are none, found where they would else be taken for a result."""

import torch
from torch import Tensor

from autotune.protocol.failure import Failure
from autotune.worker.faults import JobFault


class NumericFault(JobFault):
    """A loss, gradients, weights or logits are not finite, and not for want of range in fp16."""

    failure = Failure.NUMERIC


def demand_finite(best: Tensor) -> None:
    """Refuse logits that choose nothing: `best` is the largest of each row, (N,).

    The largest of a row with NaN in it is NaN; one of infinities is infinite. `argmax` would take
    either for a token, the first of the vocabulary as a rule, which may well be one that ends the
    answer: every answer would then be empty and have stopped by itself.

    Raises:
        NumericFault: some of them are no numbers.
    """
    if not bool(torch.isfinite(best).all()):
        raise NumericFault("its logits are not finite (NaN or infinity)")
