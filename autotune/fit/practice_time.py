"""How long a model takes to answer the prompts of practice, before it has answered any."""

from pathlib import Path

from autotune.base.disk import sizes_of
from autotune.base.optimizer_state import WEIGHT_BYTES
from autotune.config.synth import SynthChoice
from autotune.fit.rate import assumed_rate
from autotune.run.setup import Setup


def practice_rows(setup: Setup, answers: int) -> int:
    """How many of so many answers are given at a time."""
    return max(1, min(setup.profile.evaluate.batch_size, answers))


def practice_seconds(
    setup: Setup,
    model_folder: Path,
    choice: SynthChoice,
    slowdown: float = 1.0,
    answered: int = 0,
) -> float | None:
    """Seconds until every prompt has its samples, if every answer runs to its cap.

    So many are `answered` already.

    By the device's assumed rate (`fit.rate`): an estimate. `slowdown` as there. None for a model
    whose files cannot be read, or a card whose driver does not report its cores.
    """
    sizes = sizes_of(model_folder)
    if sizes is None:
        return None
    answers = max(0, choice.answers - answered)
    rows = practice_rows(setup, answers)
    rate = assumed_rate(
        setup.device,
        sizes.weights // WEIGHT_BYTES,
        rows=rows,
        gradient_checkpointing=False,
        slowdown=slowdown,
    )
    if rate is None:
        return None
    return answers * choice.max_new_tokens / rows * rate.token_seconds
