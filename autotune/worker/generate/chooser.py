"""How the next token is chosen, the same whatever else is computed beside it.

A product of matrices adds up in an order that depends on how many rows it has, so logits differ in
their last bits between batches, and a choice that hangs on the last bits would differ as well. So
in fp32 a choice that is so narrow is made by a pass of the row alone over all its tokens, which
depends on nothing else. In 16 bits the differences are a hundred times as large and as many choices
are narrow: there texts may differ between batches.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autotune.worker.generate.draws import Place

Ranked = tuple[Tensor, ...]
"""What a chooser has found in the logits of N rows, on their device; of each tensor the first
dimension is N."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A token, and the least change of a logit that could make it another one, about."""

    token: int
    margin: float


class Chooser(ABC):
    """Chooses tokens for one model. `narrow` counts the choices that were made alone."""

    def __init__(self, model: Any, device: torch.device, exact: bool) -> None:
        """With `exact`, narrow choices are made by the row alone."""
        self.model = model
        self.own_attention = model.config._attn_implementation
        self.device = device
        self.exact = exact
        self.narrow = 0

    @property
    @abstractmethod
    def min_margin(self) -> float:
        """In fp32 logits; a choice with less is narrow."""

    @abstractmethod
    def ranked(self, logits: Tensor) -> Ranked:
        """What the choices need of (N, vocabulary); waits for nothing, so it can be recorded."""

    @abstractmethod
    def read(self, ranked: Ranked, places: Sequence[Place]) -> list[Choice]:
        """The choices at these places, for the first rows of what was ranked.

        Raises:
            NumericFault: the logits are no numbers.
        """

    def choices(self, logits: Tensor, places: Sequence[Place]) -> list[Choice]:
        """The choice for each row of (N, vocabulary).

        Raises:
            NumericFault: the logits are no numbers.
        """
        return self.read(self.ranked(logits), places)

    def exact_choice(self, ids: list[int], place: Place, choice: Choice) -> int:
        """The token of a choice, or where it is narrow the one that these tokens alone give."""
        if not self.exact or choice.margin >= self.min_margin:
            return choice.token
        self.narrow += 1
        return self.choices(self.compute_alone(ids), [place])[0].token

    def compute_alone(self, ids: list[int]) -> Tensor:
        """The logits after a row's tokens, (1, vocabulary), from one pass over nothing else."""
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
        logits: Tensor = out.logits[0, -1:]
        return logits
