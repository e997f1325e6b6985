"""How long a trial was expected to take when it began."""

from typing import Annotated

from pydantic import Field

from autotune.base.model import Boundary

Seconds = Annotated[float, Field(ge=0)]


class TrialEstimate(Boundary):
    """Seconds of a trial's training and of its scoring, and what earlier trials make of them.

    `training_seconds` is the work at the speed that the probe measured, `scoring_seconds` all
    evaluations at the pace of the untrained model. The ratios are what the trials before took of
    such estimates (medians, 1 before the first). With `at_most` no pace was known yet: every answer
    counts as long as it may be.
    """

    training_seconds: Seconds
    scoring_seconds: Seconds
    training_ratio: Seconds = 1.0
    scoring_ratio: Seconds = 1.0
    at_most: bool = False

    @property
    def training(self) -> float:
        """Seconds of training, corrected."""
        return self.training_seconds * self.training_ratio

    @property
    def scoring(self) -> float:
        """Seconds of scoring, corrected."""
        return self.scoring_seconds * self.scoring_ratio

    @property
    def seconds(self) -> float:
        """Seconds of the whole trial, corrected."""
        return self.training + self.scoring
