"""AdamW with all of its state, the learning rate's schedule, and fp16's loss scale.

torch's `GradScaler` halves the scale at each overflow of the gradients and doubles it after 2 000
steps without one. A step that overflows is skipped; here it is done again at the lower scale.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import get_scheduler

from autotune.base.format import counted
from autotune.protocol.plan import Precision


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of the optimizer: learning rate at its peak, decay, clip, schedule."""

    learning_rate: float
    weight_decay: float
    max_grad_norm: float
    lr_scheduler_type: str
    warmup_steps: int
    total_steps: int
    seed: int


def adamw(model: Any, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over all weights that are trained, its moments (fp32, as the weights) made.

    It would make them in its first step. There a lack of memory would come half-way, with some of
    the weights moved and others not.
    """
    optimizer = torch.optim.AdamW(decay_groups(model, weight_decay), lr=learning_rate, fused=True)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }
    return optimizer


def decay_groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay; norms and biases (one dimension) do not, as is usual for transformers."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def schedule(lr_scheduler_type: str, warmup_steps: int, total_steps: int) -> Callable[[int], float]:
    """Transformers' schedule: the share of the peak rate at a step that is counted from 0.

    As a function of the step it leaves no state to resume.
    """
    made: Any = get_scheduler(
        lr_scheduler_type,
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0),
        num_warmup_steps=warmup_steps,
        num_training_steps=total_steps,
    )
    factor: Callable[[int], float] = (
        made.lr_lambdas[0] if hasattr(made, "lr_lambdas") else lambda _: 1.0
    )
    return factor


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
        return (
            f"gradients overflowed {counted(skips, 'time')} in a row, down to a loss scale of"
            f" {scale:g}"
        )
    return None
