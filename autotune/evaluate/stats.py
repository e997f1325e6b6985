"""How sure a share of passes is: Wilson's score interval."""

from math import sqrt

Z_95 = 1.959964
"""The normal quantile of a two-sided 95 % interval."""


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
