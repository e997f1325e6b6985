"""How long the strategies of a plan would take on a card that is not there: arithmetic, no measure.

The tokens of a conversation are assumed (`data/assumed.py`), and so is what part of its peak a card
reaches (`fit/rate.py`): such times are good to a factor of two or three.
"""

from dataclasses import dataclass

from autotune.config.profile import Profile
from autotune.data.assumed import TOKENS_A_CONVERSATION
from autotune.fit.forecast import Forecast, StrategyForecast
from autotune.fit.planned_data import PlannedData, planned_data
from autotune.fit.rate import CARD_TOKEN_SECONDS, card_tokens_per_second
from autotune.protocol.plan import Strategy

PROMPTS = 541
"""Of IFEval, where a profile scores on all that there are."""


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """Seconds that a strategy would train, and that scoring its checkpoints takes at most."""

    strategy: str
    data: PlannedData
    training_seconds: float
    scoring_seconds: float

    @property
    def seconds(self) -> float:
        """Both."""
        return self.training_seconds + self.scoring_seconds


@dataclass(frozen=True, slots=True)
class PlannedHours:
    """The times of the strategies that would be tried and fit, in their order."""

    times: tuple[PlannedTime, ...]


def planned_hours(profile: Profile, found: Forecast) -> PlannedHours | None:
    """The times of a plan; None where the card's profile does not say how fast it is."""
    flops = found.card.flops
    if flops is None:
        return None
    fitting = {each.name: each for each in found.strategies if each.fits}
    tried = [s for s in profile.tried if s.name in fitting and not s.fallback]
    if not tried:
        tried = [s for s in profile.tried if s.name in fitting]
    parameters = found.prediction.parameters
    return PlannedHours(
        tuple(
            _time(profile, strategy, fitting[strategy.name], data, flops, parameters)
            for strategy, data in zip(tried, planned_data(profile, tried), strict=True)
        )
    )


def _time(
    profile: Profile,
    strategy: Strategy,
    fits: StrategyForecast,
    data: PlannedData,
    flops: float,
    parameters: int,
) -> PlannedTime:
    tokens = data.conversations * strategy.num_train_epochs
    tokens *= min(TOKENS_A_CONVERSATION, fits.model_max_length)
    speed = card_tokens_per_second(flops, parameters, gradient_checkpointing=fits.rows == 0)
    evaluate, limit = profile.evaluate, profile.prompts.limit
    prompts = PROMPTS if limit == "all" else limit
    batches = -(-prompts // evaluate.batch_size)
    scored = len(profile.train.checkpoint_fractions) + (strategy.average_checkpoints > 0)
    return PlannedTime(
        strategy.name,
        data,
        tokens / speed,
        scored * batches * evaluate.max_new_tokens * CARD_TOKEN_SECONDS,
    )
