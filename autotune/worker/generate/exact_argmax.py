"""The likeliest token, the same whatever else is computed beside it."""

from collections.abc import Sequence

from torch import Tensor

from autotune.worker.finite import demand_finite
from autotune.worker.generate.chooser import Choice, Chooser, Ranked
from autotune.worker.generate.draws import Place

MIN_LOGIT_MARGIN = 1e-3
"""Margin between the two likeliest tokens' logits. With SmolLM2-135M it differed by at most 4.2e-5
between batches, in 8 000 choices, and 3 of 11 000 choices were narrower than this (docs/LOG.md)."""


class ExactArgmax(Chooser):
    """Takes the likeliest token; the margin is that between the two likeliest tokens' logits."""

    @property
    def min_margin(self) -> float:
        """See `MIN_LOGIT_MARGIN`."""
        return MIN_LOGIT_MARGIN

    def ranked(self, logits: Tensor) -> Ranked:
        """The likeliest tokens and their logits, (N,) each; margins only where they are needed."""
        logits = logits.float()
        best, choice = logits.max(dim=-1)
        if not self.exact:
            return choice, best
        second = logits.scatter(-1, choice[:, None], float("-inf")).amax(dim=-1)
        return choice, best, best - second

    def read(self, ranked: Ranked, places: Sequence[Place]) -> list[Choice]:
        """The likeliest tokens; which places they are for makes no difference."""
        choice, best, *margins = (part[: len(places)] for part in ranked)
        demand_finite(best)
        margin = margins[0].tolist() if margins else [float("inf")] * len(places)
        return [Choice(*both) for both in zip(choice.tolist(), margin, strict=True)]
