"""How sure a share of passes is (Wilson), and whether two models really differ (McNemar)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

Z_95 = 1.959964
"""The normal quantile of a two-sided 95 % interval."""

SIGNIFICANCE_LEVEL = 0.05
"""A p value from which on up two models are not said to differ."""


def wilson(passes: int, total: int) -> tuple[float, float]:
    """Wilson's interval (low, high) of `passes` out of `total`, both 0..1.

    It stays inside 0..1 and keeps its coverage near the ends, where the usual normal interval
    does not (Wilson, "Probable inference", JASA 22, 1927). Nothing observed says nothing: a total
    of 0 gives (0, 1).
    """
    if total == 0:
        return 0.0, 1.0
    z, share = Z_95, passes / total
    spread = z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / total + spread / (4 * total))
    low = 0.0 if passes == 0 else max(0.0, centre - half)
    high = 1.0 if passes == total else min(1.0, centre + half)
    return low, high


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
