"""Attention on fake tensors as it is on a card: fused, and without a mask where none is needed.

transformers cannot tell from a fake tensor that a batch has no padding, and would make a mask of
T x T for it.
"""

from typing import Any

from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from autotune.worker.fusable import attend

NAME = "sdpa_unpadded"


def unmasked() -> str:
    """Register the attention with transformers and give its name."""
    attention: Any = AttentionInterface
    masks: Any = AttentionMaskInterface
    attention.register(NAME, attend)
    masks.register(NAME, mask_of_full_rows)
    return NAME


def mask_of_full_rows(*args: Any, **kwargs: Any) -> Any:
    """No mask, as transformers decides for rows without padding; a window still needs one."""
    window, reach = kwargs.get("local_size"), kwargs.get("kv_length")
    if window is not None and (reach is None or reach >= window):
        return sdpa_mask(*args, **kwargs)
    return None
