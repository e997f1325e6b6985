"""Few shapes: sizes of micro-batches are rounded up to a small set.

Whatever keeps something for each shape that it meets holds more the more of them there are: oneDNN
keeps a primitive for every product (docs/LOG.md), attention kernels keep code for the ends of their
blocks, and a card's allocator keeps blocks that fit nothing else. Filling changes no mathematics:
filled tokens stand on the right, where attention is causal, and carry no label.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from autotune.worker.tokens.encode import IGNORED, Row

SIZES_AN_OCTAVE = 16
"""Sizes between a power of two and the next, so that a size grows by 2 % on average. Micro-batches
of three files of conversations grew by 0.9 to 2.4 % over two epochs, and their shapes went from
58..511 to 46..156; with 8 an octave they grew by up to 4.4 %. See docs/LOG.md."""

MIN_SIZE_STEP_TOKENS = 8
"""Tokens between neighbouring sizes at least; matrix units like multiples of it."""

Sizes = np.ndarray[Any, np.dtype[np.float64]]
"""Numbers of rows or tokens; whole, but numpy's divisions and powers are of floats."""


def rounded_up(tokens: Sizes) -> Sizes:
    """The next sizes of the set: multiples of 8, from 256 on of a sixteenth of an octave."""
    octave = np.exp2(np.frexp(np.maximum(tokens - 1, 1))[1] - 1)  # a power of two below `tokens`
    step = np.maximum(MIN_SIZE_STEP_TOKENS, octave / SIZES_AN_OCTAVE)
    sizes: Sizes = np.ceil(tokens / step) * step
    return sizes


def widths(longest: Sizes, rows: Sizes, micro_batch_tokens: int) -> Sizes:
    """Tokens that each row of a padded micro-batch takes: rounded up as far as its limit lets.

    Args:
        longest: tokens of the longest row of each micro-batch, (n,).
        rows: how many rows each has, (n,).
        micro_batch_tokens: the most that rows x width may come to, unless a row is longer.
    """
    widest: Sizes = np.maximum(longest, np.minimum(rounded_up(longest), micro_batch_tokens // rows))
    return widest


def filled(
    rows: Sequence[Row], *, packing: bool, micro_batch_tokens: int, positions: int, filler: int
) -> list[Row]:
    """The rows of a micro-batch, one of them made longer so that their shape is of the set.

    Packed, that is the shortest, since all together are one row; else the longest, up to which the
    others are filled. `positions` is the most tokens that a row may have for the model.
    """
    sizes = [len(row.input_ids) for row in rows]
    if packing:
        at, together = sizes.index(min(sizes)), sum(sizes)
        wanted = min(int(rounded_up(np.array(together, dtype=np.float64))), micro_batch_tokens)
        more = wanted - together
    else:
        at = sizes.index(max(sizes))
        longest, count = np.array([sizes[at], len(rows)], dtype=np.float64)
        more = int(widths(longest, count, micro_batch_tokens)) - sizes[at]
    more = max(0, min(more, positions - sizes[at]))
    row = Row(rows[at].input_ids + [filler] * more, rows[at].labels + [IGNORED] * more)
    return [*rows[:at], row, *rows[at + 1 :]]
