"""Results as the short texts that screens, lines and pages have in common."""

from autotune.base.format import interval_text, percent
from autotune.protocol.plan import Rounds
from autotune.protocol.results import Checkpoint, Health
from autotune.protocol.scores import Metric


def score_text(metric: "Metric", interval: tuple[float, float] | None) -> str:
    """Passes, n, percent and the 95 % interval: `6/24 25.0 % [12-45]`."""
    text = f"{metric.passes}/{metric.total} {percent(metric.accuracy)}"
    return text if interval is None else f"{text} {interval_text(interval, metric.total)}"


def health_text(health: "Health | None") -> str:
    """Shares of the answers in whole percents: `stop 96 loop 0 echo 4 empty 0 %`.

    `vacuous` is named only where there is some.
    """
    if health is None:
        return "health n/a"
    stop = "n/a" if health.stop is None else f"{health.stop * 100:.0f}"
    rest = [("loop", health.loop), ("echo", health.echo), ("empty", health.empty)]
    if health.vacuous:
        rest.append(("vacuous", health.vacuous))
    shares = " ".join(f"{name} {share * 100:.0f}" for name, share in rest)
    return f"stop {stop} {shares} %"


def shape_text(model_max_length: int, max_rounds: "Rounds") -> str:
    """A length in tokens and a number of rounds: `1024 x 6`."""
    return f"{model_max_length} x {max_rounds}"


def checkpoint_text(checkpoint: "Checkpoint") -> str:
    """A checkpoint by its progress, or by what it is the mean of: `average of 3 checkpoints`."""
    if checkpoint.averaged:
        return f"average of {checkpoint.averaged} checkpoints"
    return f"checkpoint {percent(checkpoint.progress, 0)}"
