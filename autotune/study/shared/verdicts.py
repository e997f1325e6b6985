"""Which prompts each checkpoint of a trial passed, small enough to travel with the trial.

A bit a prompt, in the random order in which evaluations take them: one that was stopped early has
the first so many. 541 prompts are 68 bytes, 92 characters of base64. So checkpoints of different
hosts are compared prompt by prompt, and the best of them all is corrected for its selection.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from autotune.score.prompt_order import answered_in_order
from autotune.score.prompts import Prompt

Packed = list[int | str]
"""How many prompts have a verdict, and their bits, the first in the highest bit, as base64."""


def pack(order: Sequence[Prompt], strict: Mapping[int, bool]) -> Packed:
    """The verdicts of the first prompts of an order, up to the first that has none.

    Example:
        `pack(shuffled(prompts, seed), read_verdicts(folder))`
    """
    verdicts = answered_in_order(order, strict)
    bits = "".join("01"[passed] for passed in verdicts)
    size = -(-len(bits) // 8)
    number = int(bits.ljust(8 * size, "0") or "0", 2)
    return [len(verdicts), base64.b64encode(number.to_bytes(size, "big")).decode("ascii")]


def unpack(order: Sequence[Prompt], packed: Any) -> dict[int, bool]:
    """Verdicts by prompt key; none where it is not what `pack` made of as many prompts."""
    match packed:
        case [int(count), str(text)]:
            pass
        case _:
            return {}
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        return {}
    if count > len(order) or len(content) != -(-count // 8):
        return {}
    bits = "".join(f"{byte:08b}" for byte in content)
    return {prompt.key: bit == "1" for prompt, bit in zip(order[:count], bits, strict=False)}
