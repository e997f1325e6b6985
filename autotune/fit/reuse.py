"""Whether a fit that was found before still holds: what it depends on, and what changed since."""

from dataclasses import dataclass
from enum import StrEnum

from autotune.base.sizes import show_apart
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Fit, StrategyFit, TrialOutcome, Verdict
from autotune.run.setup import Setup

CHECK = "checked again with one trial"
PROBED_AGAIN = "probed again"

EXPIRY = {
    # The same work on another driver or library may need a little more or less.
    "driver": CHECK,
    "torch": CHECK,
    "transformers": CHECK,
    # These change what the work is, or how much there is to spend.
    "device": PROBED_AGAIN,
    "budget": PROBED_AGAIN,
    "precision": PROBED_AGAIN,
    "model": PROBED_AGAIN,
    "tokenizer": PROBED_AGAIN,
    "data": PROBED_AGAIN,
    "settings": PROBED_AGAIN,
}
"""What follows when an entry of the fingerprint changes. One that is not listed: probed again."""


class Use(StrEnum):
    """What an earlier fit is good for."""

    REUSE = "reuse"
    RECHECK = "recheck"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """What to do with an earlier fit, and why in words."""

    use: Use
    why: str


def status(known: Fit, setup: Setup) -> CacheStatus:
    """How a known fit stands against the fingerprint and the budget of now."""
    now, budget = setup.fingerprint, setup.budget
    changed = [
        (name, known.fingerprint.get(name, "unknown"), now.get(name, "unknown"))
        for name in sorted({*known.fingerprint, *now})
        if known.fingerprint.get(name) != now.get(name)
    ]
    words = ", ".join(f"{name} {old} -> {new}" for name, old, new in changed)
    if any(EXPIRY.get(name, PROBED_AGAIN) == PROBED_AGAIN for name, _, _ in changed):
        return CacheStatus(Use.NONE, f"probed again: changed since the last probe: {words}")
    most = most_demanding(known)
    peak = most.measurement.peak_bytes if most and most.measurement else known.peak_bytes
    if not budget.holds(peak):
        was, limit = show_apart(peak, budget.limit_bytes)
        return CacheStatus(
            Use.NONE,
            f"probed again: the last probe's peak of {was} is above the budget of {limit} now",
        )
    if changed:
        return CacheStatus(Use.RECHECK, f"checked again with one trial: changed since: {words}")
    return CacheStatus(Use.REUSE, "nothing that it depends on changed since it was found")


def most_demanding(fit: Fit) -> TrialOutcome | None:
    """Of the trials whose settings training may use, the one with the highest peak, if any."""
    used_settings = {micro_batching_of(s) for s in fit.strategies.values()}
    used_settings.add((fit.micro_batch_tokens, fit.gradient_checkpointing, False, False))
    used = [
        t
        for t in (*fit.trials, *fit.speed_trials)
        if t.verdict is Verdict.FITS and micro_batching_of(t.point) in used_settings
    ]
    return max(used, key=lambda t: t.measurement.peak_bytes if t.measurement else 0, default=None)


def micro_batching_of(settings: StrategyFit | TrialPoint) -> tuple[int, bool, bool, bool]:
    """All that says how a step is worked through, whatever its rows."""
    return (
        settings.micro_batch_tokens,
        settings.gradient_checkpointing,
        settings.packing,
        settings.torch_compile,
    )
