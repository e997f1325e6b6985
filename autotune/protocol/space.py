"""The space of a search: which keys of a strategy may be drawn, from what, and how they are scaled.

Only what shapes the training is here. Memory settings are none of it: they change speed and room,
never the result, so they are measured and not searched.
"""

from collections.abc import Mapping
from typing import Any, Literal

Scale = Literal["log", "linear", "whole", "choices"]

SEARCHABLE: dict[str, Scale] = {
    "learning_rate": "log",
    "batch_size": "choices",
    "num_train_epochs": "whole",
    "warmup_ratio": "linear",
    "weight_decay": "linear",
    "max_rounds": "choices",
    "neftune_noise_alpha": "choices",
    "average_checkpoints": "choices",
}
"""The keys and how their values are laid out: rates differ by factors, shares by amounts, epochs by
whole numbers; `choices` are the values themselves. A range is its two ends, both included; one on a
logarithmic scale begins above 0."""

Value = int | float | str
Space = dict[str, tuple[Value, ...]]
"""Key -> the two ends of its range, or its choices."""


def holds(key: str, ends: tuple[Value, ...], value: Value) -> bool:
    """Whether a value lies in a key's range, or is one of its choices."""
    if SEARCHABLE[key] == "choices":
        return value in ends
    low, high = ends
    return isinstance(value, int | float) and float(low) <= value <= float(high)


def outside(space: Mapping[str, tuple[Value, ...]], values: Mapping[str, Value]) -> list[str]:
    """The keys of a space in whose range a point does not lie."""
    return [key for key, ends in space.items() if not holds(key, ends, values[key])]


def widened(space: Mapping[str, tuple[Value, ...]], points: Any) -> Space:
    """The smallest space over all searchable keys that holds a space and these points.

    `points` are mappings from key to value; keys that a point does not name are left alone.
    """
    found: Space = dict(space)
    for point in points:
        for key, value in point.items():
            ends = found.get(key)
            if ends is None:
                found[key] = (value,) if SEARCHABLE[key] == "choices" else (value, value)
            elif not holds(key, ends, value):
                found[key] = _with(key, ends, value)
    return {key: found[key] for key in SEARCHABLE if key in found}


def _with(key: str, ends: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
    if SEARCHABLE[key] == "choices":
        return (*ends, value)
    numbers = [float(end) for end in (*ends, value)]
    return min(numbers), max(numbers)
