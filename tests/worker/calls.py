"""Every call of torch's attention, and whether a kernel that knows no shared heads can serve it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Call:
    """One call: what it was given."""

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    causal: bool
    grouped: bool

    @property
    def broken_rules(self) -> list[str]:
        """Rules of the memory-efficient kernel that this call breaks, in torch 2.13's words.

        From `can_use_mem_efficient_attention` in torch's sdp_utils.cpp, for a card since Ampere.
        """
        q, k, v, mask = self.query, self.key, self.value, self.mask
        rules = {
            "heads are not shared": not self.grouped and q.shape[1] == k.shape[1] == v.shape[1],
            "rows are as many": q.shape[0] == k.shape[0] == v.shape[0],
            "one dtype": q.dtype == k.dtype == v.dtype,
            "four dimensions": q.ndim == k.ndim == v.ndim == 4,
            "the last stride is 1": all(s.stride(-1) == 1 for s in (q, k, v)),
            "sizes are eights": q.shape[-1] % 8 == k.shape[-1] % 8 == v.shape[-1] % 8 == 0,
            "they begin at 16 bytes": all(
                s.storage_offset() * s.element_size() % 16 == 0 for s in (q, k, v)
            ),
            "no mask beside causal": mask is None or not self.causal,
            "causal is square": not self.causal or q.shape[2] == k.shape[2],
            "the mask is bool or as wide": mask is None or mask.dtype in (torch.bool, q.dtype),
            "the mask's last stride is 1": mask is None or mask.stride(-1) == 1,
            "nothing is empty": q.shape[2] > 0 and k.shape[2] > 0,
        }
        return [rule for rule, obeyed in rules.items() if not obeyed]


@contextmanager
def recorded_calls() -> Iterator[list[Call]]:
    """Within, torch's attention is called as ever, and each call noted."""
    calls: list[Call] = []
    real = nn.functional.scaled_dot_product_attention

    def note(q: Tensor, k: Tensor, v: Tensor, attn_mask: Any = None, *rest: Any, **how: Any) -> Any:
        assert not rest, "by name, please"
        calls.append(
            Call(q, k, v, attn_mask, how.get("is_causal", False), how.get("enable_gqa", False))
        )
        return real(q, k, v, attn_mask, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.functional, "scaled_dot_product_attention", note)
        yield calls


def assert_any_kernel_serves(calls: list[Call]) -> None:
    assert calls
    for call in calls:
        assert not call.broken_rules, (call.broken_rules, call.query.shape, call.key.shape)
