"""What a process takes beside its tensors, where nobody has measured it on this card."""

from dataclasses import dataclass

from autotune.base.sizes import MIB
from autotune.protocol.choices import Attention

SLACKS = {Attention.FUSED: 0.10, Attention.MATH: 0.18}
"""What the allocator holds beyond its tensors, as a share of them: it takes memory in blocks of 2
and 20 MiB, and a tensor that is larger than any gap left by others needs a new one. The medians of
69 training steps on a Tesla T4 (fitcheck-llm 0.3.1, MIT): 35 with the memory-efficient kernel, 34
with tables of T x T; see `benchmarks/fit_measured.py`."""

SLACK_RANGES = {Attention.FUSED: (0.04, 0.25), Attention.MATH: (0.06, 0.49)}
"""The least and the most of the same steps."""

PLANNED_CONTEXT_BYTES = 300 * MIB
"""What a CUDA process takes outside PyTorch's allocator, for a plan. After a whole step a Tesla T4
under Linux had 141 MiB (CUDA 12.8 and 13.0); newer cards have more multiprocessors, for each of
which a context holds memory, and Windows takes more. About twice what was measured; a probe
measures it."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a process takes beside its tensors: so many bytes, and a share of the tensors."""

    context_bytes: int
    slack: float

    def needed_bytes(self, tensor_bytes: int) -> int:
        """What the budget has to hold for these tensors."""
        return self.context_bytes + round(tensor_bytes * (1 + self.slack))


def card_allowance(attention: Attention) -> Allowance:
    """What is allowed for on a card whose attention is computed so."""
    return Allowance(PLANNED_CONTEXT_BYTES, SLACKS[attention])
