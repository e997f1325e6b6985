"""Which checkpoints of a trial may stop answering because another is better on the same prompts.

All answer the same prompts in the same random order. Of two, only the prompts count that just one
of them passes (as in McNemar's test): in random order, these are drawn without putting back from
all such prompts, B that the first passes and C that the second does. The first is dropped when what
was seen is 1/alpha times more probable under a mixture of "the second is better" than under the
likeliest pair with B >= C that the prompts left still allow. As in `sequential`, that ratio is at
most a martingale while the first is no worse, so it gets there with probability alpha at most
(Waudby-Smith and Ramdas, arXiv:2006.04347, theorem 2.1; the supremum over B and C stands in for
their unknown number). Bonferroni over the rivals: the best checkpoint meets k - 1 of them, so it is
dropped with probability alpha at most.
"""

from collections.abc import Mapping, Sequence
from math import comb, inf, lgamma, log


def dropped(
    passes: Mapping[str, Sequence[bool]], live: Sequence[str], total: int, alpha: float = 0.05
) -> dict[str, str]:
    """Name of each checkpoint of `live` to be dropped -> the one that beats it.

    `passes` has the strict verdicts of all checkpoints that began the race, in the order of the
    prompts; between two, the prompts that both have answered count. `total` is how many prompts
    there are. At least one of `live` always stays.
    """
    losers: dict[str, str] = {}
    for name in live:
        others = {o: passes[o] for o in live if o != name and o not in losers}
        better = beaten_by(passes[name], others, total, len(passes) - 1, alpha)
        if better is not None:
            losers[name] = better
    return losers


def beaten_by(
    mine: Sequence[bool],
    others: Mapping[str, Sequence[bool]],
    total: int,
    rivals: int,
    alpha: float = 0.05,
) -> str | None:
    """Name of the first of `others` that is better than the checkpoint with verdicts `mine`.

    It has `rivals` in all, of which `others` are those that are still there and have begun.
    """
    enough = log(max(1, rivals) / alpha)
    for name, theirs in others.items():
        both = min(len(mine), len(theirs))
        pairs = list(zip(mine[:both], theirs[:both], strict=True))
        only_mine = sum(a and not b for a, b in pairs)
        only_theirs = sum(b and not a for a, b in pairs)
        if evidence(only_mine, only_theirs, total - both) >= enough:
            return name
    return None


def evidence(only_mine: int, only_theirs: int, left: int) -> float:
    """Logarithm of the ratio against "mine passes at least as many as theirs"; inf if certain.

    `only_mine` and `only_theirs` count the prompts that one of the two passed alone, `left` the
    prompts that are still to come.
    """
    if only_theirs <= only_mine:
        return -inf
    seen = only_mine + only_theirs
    # The share of `mine` among such prompts, uniform between 0 and a half: twice the integral of
    # p^b (1 - p)^c to a half, which is a tail of a binomial.
    tail = sum(comb(seen + 1, k) for k in range(only_mine + 1, seen + 2))
    mixture = (
        log(2)
        + lgamma(only_mine + 1)
        + lgamma(only_theirs + 1)
        - lgamma(seen + 2)
        + log(tail)
        - (seen + 1) * log(2)
    )
    likeliest = max(
        (_log_likelihood(n, only_mine, only_theirs) for n in range(seen, seen + left + 1)),
        default=-inf,
    )
    return inf if likeliest == -inf else mixture - likeliest


def _log_likelihood(pairs: int, b: int, c: int) -> float:
    """Of one sequence with b and c of either kind, from the likeliest B >= C of `pairs` in all.

    More was seen of the second kind, so that is the smallest B allowed.
    """
    first = (pairs + 1) // 2
    second = pairs - first
    if second < c:
        return -inf
    return (
        lgamma(first + 1)
        - lgamma(first - b + 1)
        + lgamma(second + 1)
        - lgamma(second - c + 1)
        - lgamma(pairs + 1)
        + lgamma(pairs - b - c + 1)
    )
