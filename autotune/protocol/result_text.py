"""Results as the short texts that screens, lines and pages have in common."""

from collections.abc import Sequence

from autotune.base.format import counted, interval_text, percent
from autotune.protocol.plan import Rounds
from autotune.protocol.results import Checkpoint, Health
from autotune.protocol.scores import Lift, Metric

_SHOWN_AS = {"vacuous": "trivial"}
"""Fields whose word in records and profiles is not the one on a screen."""


def score_text(metric: "Metric", interval: tuple[float, float] | None) -> str:
    """Passes, n, percent and the 95 % interval: `6/24 25.0 % [12-45]`."""
    text = f"{metric.passes}/{metric.total} {percent(metric.accuracy)}"
    return text if interval is None else f"{text} {interval_text(interval, metric.total)}"


def health_text(health: "Health | None", lift: "Lift | None" = None) -> str:
    """Lift in points, and shares of the answers in percents: `lift +5.3, stop 96 loop 0 ... %`.

    `trivial` is named only where there is some, the lift and `stop` only where they are known.
    """
    if health is None:
        return ""
    if lift is not None:
        return f"lift {points_text(lift)}, {health_text(health)}"
    known = [] if health.stop is None else [("stop", health.stop)]
    known += [("loop", health.loop), ("echo", health.echo), ("empty", health.empty)]
    if health.vacuous:
        known.append((share_name("vacuous"), health.vacuous))
    return " ".join(f"{name} {share * 100:.0f}" for name, share in known) + " %"


def points_text(lift: "Lift") -> str:
    """A lift in points: `+5.3`."""
    return f"{lift.share * 100:+.1f}"


def share_name(field: str) -> str:
    """A share of `Health` as people read it: its field, but `trivial` for `vacuous`."""
    return _SHOWN_AS.get(field, field)


def limits_text(unhealthy: Sequence[str]) -> str:
    """Broken limits of health in one text: `echo 40 % is above 10 %; trivial ...`."""
    named = ((line, line.partition(" ")) for line in unhealthy)
    return "; ".join(line.replace(name, share_name(name), 1) for line, (name, _, _) in named)


def shape_text(model_max_length: int, max_rounds: "Rounds") -> str:
    """A length in tokens and a number of rounds: `1024 x 6`."""
    return f"{model_max_length} x {max_rounds}"


def rounds_text(rounds: "Rounds") -> str:
    """A number of rounds with its noun: `1 round`, `6 rounds`, `all rounds`."""
    return "all rounds" if rounds == "all" else counted(rounds, "round")


def shape_rounds(model_max_length: int, max_rounds: "Rounds") -> str:
    """As `shape_text`, for a sentence: `1024 x 6 rounds`."""
    return f"{model_max_length} x {rounds_text(max_rounds)}"


def checkpoint_text(checkpoint: "Checkpoint") -> str:
    """A checkpoint by its progress, or by what it is the mean of: `average of 3 checkpoints`."""
    if checkpoint.averaged:
        return f"average of {counted(checkpoint.averaged, 'checkpoint')}"
    return f"checkpoint {percent(checkpoint.progress, 0)}"
