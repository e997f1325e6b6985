"""Keys and values of the rows that are being answered, and attention of new tokens over them.

Letters: R rows, N new tokens of all rows together, C positions that there is room for, h heads that
ask, g heads of keys and values, d the size of one. The new tokens of all rows lie end to end in one
row of N, so only attention knows of rows: no padding goes through the model, and each row brings as
many tokens as it likes.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autotune.worker.attention.fusable import attention, narrowed
from autotune.worker.attention.switch import attending
from autotune.worker.device_kinds import traits_of

NAME = "rowcache"
"""The attention's name in transformers' registry. It has no mask function there, so transformers
makes no mask for it."""

MAX_TOGETHER_TOKENS = 64
"""New tokens of a row up to which it is asked whether to attend in one call or row by row
(`TorchTraits.most_padding`): prompts are much wider than single tokens."""

BLOCK = 128
"""Positions that are added at a time where a row outgrows the room."""


@dataclass(frozen=True, slots=True)
class Part:
    """A row's share of a step: new tokens `begin` to `begin + count` of N, `length` with them."""

    row: int
    begin: int
    count: int
    length: int


class RowCache:
    """Keys and values, (R, g, C, d) of each layer, of rows of different lengths."""

    def __init__(self, rows: int) -> None:
        """Room for so many rows; it is taken at the first step."""
        self.most_rows = rows
        self.lengths: list[int] = []
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    def add(self) -> None:
        """One more row, empty, behind the others."""
        self.lengths.append(0)

    def remove(self, row: int) -> None:
        """Take a row out; the last one takes its place, so that there is no hole."""
        last = len(self.lengths) - 1
        if row != last:
            kept = self.lengths[last]
            for both in self._layers.values():
                for states in both:
                    states[row, :, :kept] = states[last, :, :kept]
            self.lengths[row] = kept
        self.lengths.pop()

    def reach(self) -> int:
        """Positions that a row needs room for."""
        return -(-max(self.lengths) // BLOCK) * BLOCK

    def room(self, layer: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's keys and values with room for all lengths; new room is zero.

        `like` has g and d at its places 1 and 3, and the dtype.
        """
        wanted = self.reach()
        before = self._layers.get(layer)
        if before is not None and before[0].shape[2] >= wanted:
            return before
        shape = (self.most_rows, like.shape[1], wanted, like.shape[3])
        grown = []
        for at in range(2):  # one after the other: what is copied is there twice
            states = like.new_zeros(shape)
            if before is not None:
                states[:, :, : before[at].shape[2]] = before[at]
            grown.append(states)
        self._layers[layer] = grown[0], grown[1]
        return self._layers[layer]


class Step:
    """One pass of the model over `counts[row]` new tokens of each row, in order; 0 for none."""

    def __init__(self, cache: RowCache, counts: Sequence[int], device: torch.device) -> None:
        """The cache counts the tokens as there from now on."""
        self.cache = cache
        self.parts: list[Part] = []
        rows: list[int] = []
        places: list[int] = []
        for row, count in enumerate(counts):
            before = cache.lengths[row]
            cache.lengths[row] = before + count
            if count:
                self.parts.append(Part(row, len(rows), count, before + count))
                rows += [row] * count
                places += range(before, before + count)
        self.rows = torch.tensor(rows, device=device)  # (N,)
        self.places = torch.tensor(places, device=device)  # (N,)
        self.widest = max(part.count for part in self.parts)
        self.mask = self._mask() if self._together(device) else None
        self.offsets = torch.cat([torch.arange(part.count) for part in self.parts]).to(device)

    def _together(self, device: torch.device) -> bool:
        """Whether one call for all rows, each padded to the widest and longest, costs less."""
        if len(self.parts) != len(self.cache.lengths) or self.widest > MAX_TOGETHER_TOKENS:
            return False
        padded = len(self.parts) * self.widest * max(self.cache.lengths)
        needed = sum(part.count * part.length for part in self.parts)
        return padded <= traits_of(device).most_padding * needed

    def _mask(self) -> Tensor:
        """Which positions each new token sees: (R, 1, widest, C), C up to the longest row's end."""
        device = self.places.device
        reach = -(-max(self.cache.lengths) // 8) * 8  # fused kernels want eights
        counts = torch.tensor([part.count for part in self.parts], device=device)
        lengths = torch.tensor([part.length for part in self.parts], device=device)
        token = torch.arange(self.widest, device=device)
        # Places beyond a row's own tokens repeat its last one: nothing may see nothing.
        sees = (lengths - counts)[:, None] + torch.minimum(token[None], counts[:, None] - 1)
        return (torch.arange(reach, device=device)[None, None] <= sees[:, :, None])[:, None]


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    *,
    step: Step,
    **_: Any,
) -> tuple[Tensor, None]:
    """Keep the new keys and values, and attend over all of each row's.

    Args:
        module: the layer's attention; its `layer_idx` says which.
        query: (1, h, N, d).
        key: (1, g, N, d), and value.
        value: as key.
        attention_mask: not used; the step's rows take its place.
        scaling: of the products of query and key.
        step: the rows that the new tokens belong to.

    Returns:
        (1, N, h, d), as transformers wants it, and no weights.
    """
    layer: Any = module.layer_idx
    query, key = narrowed(query, value), narrowed(key, value)
    keys, values = step.cache.room(layer, value)
    keys[step.rows, :, step.places] = key[0].transpose(0, 1)
    values[step.rows, :, step.places] = value[0].transpose(0, 1)
    way = attend_row_by_row if step.mask is None else attend_together
    return way(query[0], keys, values, step, scaling).transpose(0, 1)[None].contiguous(), None


def attend_row_by_row(
    query: Tensor, keys: Tensor, values: Tensor, step: Step, scaling: float | None
) -> Tensor:
    """Each row by itself: query and result (h, N, d)."""
    heads, _, size = query.shape
    groups = keys.shape[1]
    out = torch.empty_like(query)
    for part in step.parts:
        asked = slice(part.begin, part.begin + part.count)
        q = query[None, :, asked]
        k = keys[part.row : part.row + 1, :, : part.length]
        v = values[part.row : part.row + 1, :, : part.length]
        if part.count == part.length:
            answer = attention(q, k, v, causal=True, scale=scaling)[0]
        else:
            # The heads that share keys and values stand as more queries of one: nothing is copied.
            q = q.reshape(1, groups, heads // groups * part.count, size)
            mask = causal_mask(part, heads // groups, query.device)
            answer = attention(q, k, v, mask=mask, scale=scaling)
            answer = answer.reshape(heads, part.count, size)
        out[:, asked] = answer
    return out


def causal_mask(part: Part, repeats: int, device: torch.device) -> Tensor | None:
    """What each of a row's new tokens sees, `repeats` times: (repeats * count, length)."""
    if part.count == 1:
        return None
    place = torch.arange(part.length, device=device)
    own = place[part.length - part.count :]
    return (place[None] <= own[:, None]).repeat(repeats, 1)


def attend_together(
    query: Tensor, keys: Tensor, values: Tensor, step: Step, scaling: float | None
) -> Tensor:
    """All rows in one call: query and result (h, N, d)."""
    mask = step.mask
    assert mask is not None
    heads, _, size = query.shape
    rows, groups = len(step.parts), keys.shape[1]
    reach, repeats = mask.shape[-1], heads // groups
    q = query.new_zeros((rows, step.widest, heads, size))
    q[step.rows, step.offsets] = query.transpose(0, 1)
    q = q.transpose(1, 2).reshape(rows, groups, repeats * step.widest, size)
    answer = attention(
        q,
        keys[:rows, :, :reach],
        values[:rows, :, :reach],
        mask=mask.repeat(1, 1, repeats, 1),
        scale=scaling,
    )
    answer = answer.reshape(rows, heads, step.widest, size)
    return answer[step.rows, :, step.offsets].transpose(0, 1)


def by_rows(model: Any) -> AbstractContextManager[None]:
    """Within, the model attends over a `RowCache`; its calls want a `step`."""
    return attending(model, NAME, attend)
