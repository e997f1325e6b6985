"""The likeliest token, the same whatever else is computed beside it.

A product of matrices adds up in an order that depends on how many rows it has, so logits differ in
their last bits between batches, and a choice between two tokens that are as likely to the last bits
would differ as well. So in fp32 a choice that is so narrow is made by a pass of the row alone over
all its tokens, which depends on nothing else. In 16 bits the differences are a hundred times as
large and as many choices are narrow: there texts may differ between batches.
"""

from typing import Any

import torch
from torch import Tensor

from autotune.worker.finite import demand_finite

MIN_LOGIT_MARGIN = 1e-3
"""Margin between the two likeliest tokens' logits. With SmolLM2-135M it differed by at most 4.2e-5
between batches, in 8 000 choices, and 3 of 11 000 choices were narrower than this (docs/LOG.md)."""


Ranked = tuple[Tensor, Tensor | None, Tensor]
"""Choices, their margins, and their logits."""


class ExactArgmax:
    """Chooses tokens for one model. `narrow` counts the choices that were made alone."""

    def __init__(self, model: Any, device: torch.device, exact: bool) -> None:
        """With `exact`, narrow choices are made by the row alone."""
        self.model = model
        self.own_attention = model.config._attn_implementation
        self.device = device
        self.exact = exact
        self.narrow = 0

    def choices(self, logits: Tensor) -> tuple[list[int], list[float]]:
        """The likeliest token of each row of (N, vocabulary), and by how much, in fp32 logits.

        Raises:
            NumericFault: the logits are no numbers.
        """
        choice, margin, best = self.ranked(logits)
        demand_finite(best)
        if margin is None:
            return choice.tolist(), [float("inf")] * len(choice)
        return choice.tolist(), margin.tolist()

    def ranked(self, logits: Tensor) -> Ranked:
        """The same on the device, and the likeliest token's logit, (N,) each.

        No margins where none is asked for.
        """
        logits = logits.float()
        best, choice = logits.max(dim=-1)
        if not self.exact:
            return choice, None, best
        second = logits.scatter(-1, choice[:, None], float("-inf")).amax(dim=-1)
        return choice, best - second, best

    def exact_choice(self, ids: list[int], choice: int, margin: float) -> int:
        """`choice`, or the likeliest token when these tokens are computed alone."""
        if margin < MIN_LOGIT_MARGIN:
            self.narrow += 1
            return self.compute_alone(ids)
        return choice

    def compute_alone(self, ids: list[int]) -> int:
        """The likeliest token after a row's tokens, from one pass over nothing else."""
        among = self.model.config._attn_implementation
        self.model.config._attn_implementation = self.own_attention
        try:
            out = self.model(
                input_ids=torch.tensor([ids], device=self.device),
                use_cache=False,
                logits_to_keep=1,
            )
        finally:
            self.model.config._attn_implementation = among
        return int(out.logits[0, -1].argmax())
