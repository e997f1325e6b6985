"""What the optimizer keeps for every weight that it trains: stated once, for all who count it.

From this follow the tensors that `autotune/worker/train/optimizer.py` makes before the first step,
what a whole checkpoint takes on the disk, and what is predicted to stand in memory while answers
are generated between two steps.

Another optimizer is another `State` and the class that keeps it. Example, of SGD with momentum and
of Lion, which keep one moment each:

    State("SGD with momentum", moments=("momentum_buffer",), counts_steps=False)
    State("Lion", moments=("exp_avg",), counts_steps=False)
"""

from dataclasses import dataclass

WEIGHT_BYTES = 4
"""Weights are trained in fp32 whatever the precision of a step; 16 bits would swallow updates."""


@dataclass(frozen=True, slots=True)
class State:
    """An optimizer's state: tensors of a weight's own shape, and perhaps a count of its steps.

    `moments` are the names by which the optimizer's class keeps them; they are also those in a
    checkpoint's `optimizer.safetensors` (`17.exp_avg`: of the 18th parameter).
    """

    optimizer: str
    moments: tuple[str, ...]
    moment_bytes: int = 4
    counts_steps: bool = True

    @property
    def bytes_per_weight(self) -> int:
        """What is kept beside a weight, in bytes. The count of steps, one a tensor, is nothing."""
        return len(self.moments) * self.moment_bytes

    def kept_bytes(self, weights_bytes: int) -> int:
        """What stands beside so many bytes of weights."""
        return weights_bytes // WEIGHT_BYTES * self.bytes_per_weight


ADAMW = State("AdamW", moments=("exp_avg", "exp_avg_sq"))
"""Mean and mean square of the gradients, as `torch.optim.AdamW` names them."""

KEPT = ADAMW
"""What the optimizer that trains here keeps."""
