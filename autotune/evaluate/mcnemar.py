"""Whether two models that answered the same prompts really differ: McNemar's exact test."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of n prompts, how many both pass, only the first, only the second, and neither.

    `p_value` is two-sided: how probable so uneven a split, or a more uneven one, of the prompts
    that only one passes would be if either were as likely to.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> Comparison:
    """The exact test of paired verdicts, prompt by prompt (McNemar, Psychometrika 12, 1947).

    The prompts that only one passes are compared with fair coins, without the usual chi-square,
    which needs more than about 25 of them.

    Raises:
        ValueError: not as many verdicts of the one as of the other.
    """
    pairs = list(zip(first, second, strict=True))
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    both = sum(a and b for a, b in pairs)
    return Comparison(
        both=both,
        only_first=only_first,
        only_second=only_second,
        neither=len(pairs) - both - only_first - only_second,
        p_value=exact_p(only_first, only_second),
    )


def exact_p(only_first: int, only_second: int) -> float:
    """Two-sided p value of a split under fair coins, 1 where there is none to compare."""
    flips, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(comb(flips, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << flips))
