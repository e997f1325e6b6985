"""Whether the target is out of a checkpoint's reach, known before it has answered every prompt.

The prompts are a finite set, answered in random order. After n of N answers with s passes, the
number K of passes in all is judged by the ratio of two probabilities of what was seen: mixed over
the numbers below the target, and by the likeliest number that meets it. Were it met in truth, the
ratio would be at most a martingale that starts at 1, so it gets to 1/alpha at any time with
probability alpha at most (Ville). This is the prior-posterior ratio of Waudby-Smith and Ramdas,
"Confidence sequences for sampling without replacement" (NeurIPS 2020, arXiv:2006.04347, theorem
2.1) with the prior limited to one side. The bound holds exactly, for every N, and for looking after
every answer.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, lgamma, log

PRIOR_WEIGHT = 20.0
"""Pseudo-prompts of the beta-binomial prior around the target. Over rates 0.15 to 0.35 at a target
of 0.25 it needed fewer answers than a uniform prior and than weights of 5, 10, 40 and 80, or as
many; it has no part in the error bound."""


ALPHA = 0.01
"""How probable it is at most that a checkpoint which would reach the target is given up, whatever
its rate. A success that is missed costs a whole trial, hours; a hopeless one that goes on costs
answers, minutes. Of 541 prompts and a target of 25 % the test is wrong with 0.85 % exactly at the
target and 0.25 % a point above it, and saves 76 / 47 / 26 / 5 % of the answers at true rates of
15 / 20 / 22 / 24 %. At 0.05 it would be wrong with 4.3 and 1.8 % and save 83 / 59 / 37 / 11 %
(`benchmarks/early_decisions.py`)."""


@dataclass(frozen=True, slots=True)
class TargetTest:
    """The test of `total` prompts against `needed` passes, wrong with probability `alpha` at most.

    Only the score is part of it: no score counts for more than itself, so what cannot reach the
    target by its score cannot meet it. The answers must be those to the first prompts of a random
    order (see `order`): the ones that happen to be finished first are not a fair sample.
    """

    total: int
    needed: int
    alpha: float = ALPHA

    def is_out_of_reach(self, answered: int, passes: int) -> bool:
        """Whether to give up after `answered` prompts with `passes` of them passed.

        With everything answered it is the truth.
        """
        if passes >= self.needed:
            return False
        if passes + self.total - answered < self.needed:
            return True
        if answered == 0:
            return False
        return _evidence(self.total, self.needed, answered, passes) >= -log(self.alpha)


@lru_cache(maxsize=2**8)
def needed_passes(total: int, target: float) -> int:
    """The fewest passes of `total` whose share is at least `target`; total + 1 if none is."""
    return next((n for n in range(total + 1) if total and n / total >= target), total + 1)


@lru_cache(maxsize=2**17)  # a run fills little of it; many simulated trials need it
def _evidence(total: int, needed: int, answered: int, passes: int) -> float:
    """Logarithm of the ratio for less than `needed` against `needed` and more."""
    a = max(1e-3, PRIOR_WEIGHT * needed / total)
    b = max(1e-3, PRIOR_WEIGHT - a)
    fails, left = answered - passes, total - answered
    seen = _log_beta(a + passes, b + fails) - _log_beta(a, b)
    prior = _mass_from(needed, total, a, b)
    posterior = _mass_from(needed - passes, left, a + passes, b + fails)
    likeliest = min(max(passes * (total + 1) // answered, passes), total - fails)
    below = seen + _log_ratio(1 - posterior, 1 - prior)
    return below - _log_likelihood(total, max(likeliest, needed), answered, passes)


@lru_cache(maxsize=2**10)
def _mass_from(least: int, count: int, a: float, b: float) -> float:
    """How probable `least` or more of `count` are under a beta-binomial."""
    return min(
        1.0,
        sum(
            exp(_log_choose(count, k) + _log_beta(k + a, count - k + b) - _log_beta(a, b))
            for k in range(max(0, least), count + 1)
        ),
    )


def _log_likelihood(total: int, good: int, answered: int, passes: int) -> float:
    """Of one sequence of answers, drawn without putting back from `good` passes of `total`."""
    bad, fails = total - good, answered - passes
    if passes > good or fails > bad:
        return -inf
    return (
        lgamma(good + 1)
        - lgamma(good - passes + 1)
        + lgamma(bad + 1)
        - lgamma(bad - fails + 1)
        - lgamma(total + 1)
        + lgamma(total - answered + 1)
    )


def _log_ratio(part: float, whole: float) -> float:
    # A mass that vanishes by rounding is no evidence.
    return log(part / whole) if part > 1e-12 and whole > 0 else -inf


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
