"""Attention over padded rows without asking the device whether they need a mask.

Rows are filled up on the right and attention is causal, so there is nothing to mask. transformers
finds that out by reading the positions of every micro-batch (`find_packed_sequence_indices`), for
which a card has to finish all that was asked of it before.
"""

from contextlib import AbstractContextManager
from typing import Any

from transformers import AttentionInterface

from autotune.worker.attention.switch import attending
from autotune.worker.train.packing import can_pack

NAME = "full_rows"
"""The attention's name in transformers' registry. It has no mask function there, so transformers
makes no mask for it and looks for none."""

FUSED = "sdpa"
"""transformers' name of torch's fused attention, which is causal where it is given no mask."""


def needs_no_mask(model: Any) -> bool:
    """Whether the model is one of plain causal attention, by its name and by trying."""
    return bool(model.config._attn_implementation == FUSED) and can_pack(model)


def full_rows(model: Any) -> AbstractContextManager[None]:
    """Within, the model attends as ever, over rows of which none is masked."""
    registry: Any = AttentionInterface
    return attending(model, NAME, registry()[FUSED])
