"""The optimizer with all of its state, the learning rate's schedule, and fp16's loss scale.

torch's `GradScaler` halves the scale at each overflow of the gradients and doubles it after 2 000
steps without one. A step that overflows is skipped; here it is done again at the lower scale.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import get_scheduler

from autotune.base.format import counted
from autotune.base.optimizer_state import KEPT, State
from autotune.protocol.choices import Precision


class Optimization(Protocol):
    """The numbers of the optimizer: learning rate at its peak, decay, clip, schedule.

    A `TrainPlan` has them all and is taken as it is.
    """

    @property
    def learning_rate(self) -> float:
        """The rate after warmup, before it falls."""
        ...

    @property
    def weight_decay(self) -> float:
        """Of matrices only, see `decay_groups`."""
        ...

    @property
    def max_grad_norm(self) -> float:
        """The norm to which the gradients of all weights together are clipped."""
        ...

    @property
    def lr_scheduler_type(self) -> str:
        """A name of transformers' `get_scheduler`."""
        ...

    @property
    def warmup_steps(self) -> int:
        """Steps over which the rate rises."""
        ...

    @property
    def total_steps(self) -> int:
        """Steps until the schedule ends."""
        ...

    @property
    def seed(self) -> int:
        """With the number of a step, what dropout and noise are seeded by."""
        ...

    @property
    def neftune_noise_alpha(self) -> float:
        """Of the noise on embeddings, see `neftune`; 0 for none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """An `Optimization` without a plan, at a small constant rate unless given otherwise.

    Who steps without a plan asks about memory and speed, not about learning.
    """

    total_steps: int
    seed: int = 0
    learning_rate: float = 1e-5
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    lr_scheduler_type: str = "constant"
    warmup_steps: int = 0
    neftune_noise_alpha: float = 0.0


def optimizer_over(parameters: Any, learning_rate: float) -> torch.optim.Optimizer:
    """The optimizer that trains, in the form that moves many weights in one kernel.

    What it keeps is stated in `autotune.base.optimizer_state`, which others count by: whoever
    takes another class here states another `KEPT` there.
    """
    return torch.optim.AdamW(parameters, lr=learning_rate, fused=True)


def ready_optimizer(model: Any, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """The optimizer over all weights that are trained, with its state made."""
    optimizer = optimizer_over(decay_groups(model, weight_decay), learning_rate)
    make_state(optimizer, KEPT)
    return optimizer


def make_state(optimizer: torch.optim.Optimizer, kept: State) -> None:
    """Make the tensors that an optimizer keeps, as wide as the weights.

    It would make them in its first step. There a lack of memory would come half-way, with some of
    the weights moved and others not.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state = {}
            if kept.counts_steps:
                state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            for name in kept.moments:
                state[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            optimizer.state[parameter] = state


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


MAX_SKIPS = 20
"""Overflows in one step after which fp16 is given up. From torch's first scale, 65 536, to below 1
takes 17; more are no accident at any scale that a training grows to."""


MIN_SCALE = 1.0
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
    if scale < MIN_SCALE:
        return f"gradients overflow at a loss scale of {scale / scaler.get_backoff_factor():g}"
    if skips > MAX_SKIPS:
        return (
            f"gradients overflowed {counted(skips, 'time')} in a row, down to a loss scale of"
            f" {scale:g}"
        )
    return None
