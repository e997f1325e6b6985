"""fp16's loss scale: made, made anew after a step that was given up, and told when it is stuck.

torch's `GradScaler` halves the scale at each overflow of the gradients and doubles it after 2 000
steps without one. A step that overflows is skipped; here it is done again at the lower scale.
"""

from typing import Any

import torch

from autotune.plan import Precision

MOST_SKIPS = 20
"""Overflows in one step after which fp16 is given up. From torch's first scale, 65 536, to below 1
takes 17; more are no accident at any scale that a training grows to."""

LEAST_SCALE = 1.0
"""Below it the loss would be made smaller instead of larger: the gradients themselves are beyond
fp16, and the small ones among them would be lost."""


def scaler_of(precision: Precision, device: torch.device) -> Any:
    """A scaler at its first scale for fp16, one that does nothing for the others."""
    return torch.amp.GradScaler(device.type, enabled=precision is Precision.FP16)


def renewed(scaler: Any, device: torch.device) -> Any:
    """A scaler at the same scale that knows of no gradients.

    One that has unscaled gradients refuses to do so again before its next update. Where the step
    is given up in between there is none, and torch has no call to take it back.
    """
    again = torch.amp.GradScaler(device.type, enabled=scaler.is_enabled())
    if scaler.is_enabled():
        again.load_state_dict(scaler.state_dict())
    return again


def stuck(scaler: Any, skips: int) -> str | None:
    """Why fp16 cannot go on after `skips` overflows in a row, None while it can."""
    scale = float(scaler.get_scale())
    if scale < LEAST_SCALE:
        return f"gradients overflow at a loss scale of {scale / scaler.get_backoff_factor():g}"
    if skips > MOST_SKIPS:
        return f"gradients overflowed {skips} times in a row, down to a loss scale of {scale:g}"
    return None
