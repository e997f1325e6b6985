"""Which conversations make a step, and how a step is split into micro-batches.

The first depends on seed, epoch and batch size only; the second changes speed and memory, never
which rows are used: every row of a step is in exactly one micro-batch.
"""

import random
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from autotune.worker.tokens.encode import IGNORED, Row
from autotune.worker.train.shapes import rounded_up


def step_rows(rows: int, batch_size: int, seed: int, step: int) -> list[int]:
    """Indices of the rows of a 1-based optimizer step; an epoch's last step may be shorter."""
    steps_per_epoch = -(-rows // batch_size)
    epoch, within = divmod(step - 1, steps_per_epoch)
    return shuffled(rows, seed, epoch)[within * batch_size : (within + 1) * batch_size]


def shuffled(rows: int, seed: int, epoch: int) -> list[int]:
    """The order of an epoch, counted from 0."""
    order = list(range(rows))
    random.Random(seed * 1_000_003 + epoch).shuffle(order)
    return order


BATCH_COST_TOKENS = 256
"""What one more micro-batch costs, as the tokens that could be computed meanwhile.

Casting the weights and adding up their gradients took as long as 70 tokens on two CPU cores; on a
card, where starting some thousand kernels comes to it, 400 are estimated. See docs/LOG.md.
"""


def micro_batches(lengths: Sequence[int], micro_batch_tokens: int) -> list[list[int]]:
    """Positions of `lengths` grouped so that rows x longest row <= `micro_batch_tokens`.

    Rows are sorted and cut where that costs least: filled-up tokens, each group as wide as its
    longest row rounded up, and `BATCH_COST_TOKENS` for each group. So no group could be cut in two
    to save more filling than that; among cuts of equal cost, groups are as equal as can be. The
    longest rows come first, where a lack of memory shows at once. A row longer than the limit has a
    group of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    sorted_lengths = np.array([lengths[at] for at in order], dtype=np.float64)
    widths = rounded_up(sorted_lengths)
    count = len(order)
    # Of the first n rows: the least cost, and where the last group begins. Equal costs are told
    # apart by the sum of squared sizes, scaled to less than the one token by which costs differ,
    # by a power of two, which rounds nothing.
    costs, begins = np.zeros(count + 1), np.zeros(count + 1, dtype=np.int64)
    scale = 0.5 ** (1 + 2 * int(count * widths.max(initial=0)).bit_length())
    first = 0  # the lowest row that a group may begin with; it only rises, as groups grow
    for end in range(1, count + 1):
        while (end - first) * sorted_lengths[first] > micro_batch_tokens and first < end - 1:
            first += 1
        sizes = np.arange(end - first, 0, -1) * widths[first:end]
        ways = costs[first:end] + sizes + BATCH_COST_TOKENS + scale * sizes * sizes
        # The last of equal ways: the larger groups come first.
        best = len(ways) - 1 - int(ways[::-1].argmin())
        costs[end], begins[end] = ways[best], first + best
    groups: list[list[int]] = []
    end = count
    while end:
        begin = int(begins[end])
        groups.append(order[begin:end])
        end = begin
    return groups[::-1]


def packs(lengths: Sequence[int], micro_batch_tokens: int) -> list[list[int]]:
    """Positions of `lengths` grouped so that each group's sum is <= `micro_batch_tokens`.

    As few groups as the sum allows, if they can be filled so; the longest row goes first, each to
    the group that has least, so that groups are of like size and none is left nearly empty. A row
    longer than the limit has a group of its own.
    """
    groups: list[list[int]] = [[] for _ in range(max(1, -(-sum(lengths) // micro_batch_tokens)))]
    sizes = [0] * len(groups)
    for at in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        least = min(range(len(groups)), key=lambda g: (sizes[g], g))
        if groups[least] and sizes[least] + lengths[at] > micro_batch_tokens:
            groups.append([])
            sizes.append(0)
            least = len(groups) - 1
        groups[least].append(at)
        sizes[least] += lengths[at]
    # The largest first, where a lack of memory shows at once; what can be joined is.
    filled = sorted((g for g in range(len(groups)) if groups[g]), key=lambda g: (-sizes[g], g))
    while len(filled) > 1 and sizes[filled[-1]] + sizes[filled[-2]] <= micro_batch_tokens:
        last = filled.pop()
        groups[filled[-1]] += groups[last]
        sizes[filled[-1]] += sizes[last]
        filled.sort(key=lambda g: (-sizes[g], g))
    return [groups[g] for g in filled]


def pad(rows: Sequence[Row], pad_token_id: int) -> tuple[Tensor, Tensor]:
    """Rows of unequal length as two tensors, filled up on the right: input_ids, labels (B, T).

    There is no mask: attention is causal, so a real token never sees the filling behind it, and
    what the filling itself computes carries no label. A mask would cost a matrix of T x T for
    every layer, kept for the backward pass, and the fused kernels.
    """
    width = max(len(row.input_ids) for row in rows)
    input_ids = torch.full((len(rows), width), pad_token_id, dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORED, dtype=torch.long)
    for at, row in enumerate(rows):
        size = len(row.input_ids)
        input_ids[at, :size] = torch.tensor(row.input_ids)
        labels[at, :size] = torch.tensor(row.labels)
    return input_ids, labels
