"""Spilling: a card that is over-full and does not say so, known by its signs.

On Windows and under WSL the driver lends a full card memory of the computer instead of raising an
error. The step then takes 10 to 300 times as long. More in use than the card has, or memory of the
card that lies in the computer's, proves it. A slow step does not: the card may be throttled, or
another program at work. It counts where the driver can lend, while the card is full as well, and
when it comes again in a fresh process.
"""

import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from autotune.base.sizes import MIB, show_apart, show_size
from autotune.protocol.plan import TrialPoint
from autotune.protocol.results import Measurement, TrialOutcome, Verdict

SLOWDOWN_FACTOR = 2.5
"""A step this many times as slow as the line through smaller ones is no longer a matter of size. A
spilled step is an order of magnitude slower, a throttled card or a busy machine seldom twice."""

THROTTLED_SLOWDOWN_FACTOR = 12.0
"""The same while the card is throttled, by heat or on battery. A laptop's card may then fall from
its boost clock to its lowest (RTX 4060 Laptop: 2370 to 210 MHz, a factor of 11.3)."""

FULL_CARD_SHARE = 0.97
"""A card that everybody together uses to this part is full: what is left of 8 GB then is less than
a screen alone takes, and the driver lends before it gives out the last of it."""

SHARED_BYTES = 256 * MIB
"""Growth of shared memory that no longer passes for the driver's own staging buffers, which are
tens of MiB and there from the start. Chosen, not measured: moved once a step each way over PCIe 4
x8 (about 13 GB/s) it costs 40 ms, and less than that would not show."""

ADVICE = (
    'on Windows set "CUDA - Sysmem Fallback Policy" to "Prefer No Sysmem Fallback" (NVIDIA Control'
    " Panel > Manage 3D settings); under WSL the policy is set on the Windows side"
)
"""What to do about it: with the driver's switch, a full card raises an error again."""


class Sign(StrEnum):
    """What gives a spill away."""

    REACH = "peak above reach"
    SPEED = "speed cliff"
    SHARED = "shared memory"
    FULL = "card full"


@dataclass(frozen=True, slots=True)
class Spill:
    """One sign with its figures: what was measured and the most that can be without spilling.

    Seconds a step for SPEED, bytes for the others. `reason` is a sentence for a person.
    """

    sign: Sign
    measured: float
    expected: float
    reason: str


def driver_lends(system: str = sys.platform, release: str | None = None) -> bool:
    """Whether this system's driver lends a full card memory of the computer: Windows and WSL.

    `system` as `sys.platform`, `release` as `platform.release()`, where WSL names its maker.
    """
    if system != "linux":
        return system == "win32"
    return "microsoft" in (platform.release() if release is None else release).lower()


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a step's time depends on besides its size.

    `lends` is whether the driver can lend memory without a word; `throttled_by` names what kept the
    card from its speed during the trial, empty where nothing did or that is unknown.
    """

    lends: bool = field(default_factory=driver_lends)
    throttled_by: tuple[str, ...] = ()


def spill_signs(
    point: TrialPoint,
    measurement: Measurement,
    earlier: Sequence[TrialOutcome],
    card_bytes: int | None,
    conditions: Conditions,
) -> tuple[Spill, ...]:
    """Every sign that a trial gives of having spilled; empty if there is none.

    A slow step is a sign only where the driver can lend, and a full card only beside a slow step.
    `earlier` are the trials before it in any order; `card_bytes` is the memory that the card
    physically has, None on a CPU or where the driver does not say.
    """
    cliff = THROTTLED_SLOWDOWN_FACTOR if conditions.throttled_by else SLOWDOWN_FACTOR
    slow = speed_cliff(point, measurement, earlier, cliff) if conditions.lends else None
    signs = (
        slow,
        shared_growth(measurement),
        above_reach(measurement, card_bytes),
        card_full(measurement, card_bytes) if slow is not None else None,
    )
    return tuple(sign for sign in signs if sign is not None)


def has_spilled(signs: Sequence[Spill]) -> bool:
    """Whether the signs are enough: a proof, or a slow step on a full card."""
    return any(spill.sign is not Sign.SPEED for spill in signs)


def in_doubt(signs: Sequence[Spill]) -> bool:
    """Whether a slow step on a full card is all there is, which a fresh process has to confirm."""
    return {spill.sign for spill in signs} == {Sign.SPEED, Sign.FULL}


def above_reach(measurement: Measurement, card_bytes: int | None) -> Spill | None:
    """More in use, by us or by everybody, than the card has: the rest lies elsewhere."""
    used = max(measurement.peak_bytes, measurement.device_bytes or 0)
    if card_bytes is None or used <= card_bytes:
        return None
    shown, has = show_apart(used, card_bytes)
    reason = f"{shown} in use on a card of {has}"
    return Spill(Sign.REACH, used, card_bytes, reason)


def shared_growth(measurement: Measurement) -> Spill | None:
    """Our memory of the card that lies in the computer's memory grew by more than buffers do."""
    shared = measurement.shared_bytes
    if shared is None or shared <= SHARED_BYTES:
        return None
    reason = f"{show_size(shared)} of the card's memory lie in the computer's memory"
    return Spill(Sign.SHARED, shared, SHARED_BYTES, reason)


def card_full(measurement: Measurement, card_bytes: int | None) -> Spill | None:
    """Everybody together used the card up to its last few percent."""
    used = measurement.device_bytes
    if card_bytes is None or used is None or used < FULL_CARD_SHARE * card_bytes:
        return None
    reason = f"{show_size(used)} of {show_size(card_bytes)} in use"
    return Spill(Sign.FULL, used, card_bytes, reason)


def speed_cliff(
    point: TrialPoint,
    measurement: Measurement,
    earlier: Sequence[TrialOutcome],
    cliff: float = SLOWDOWN_FACTOR,
) -> Spill | None:
    """A step more than `cliff` times as slow as a line through smaller trials predicts.

    The line is seconds = a + b tokens, least squares, through at least two trials that fit with
    fewer tokens a step, the same checkpointing, and rows laid end to end or not as here. Attention
    grows with the square of a row's length, so a step that is slower only by that much (all of its
    time taken for attention's) is let pass however far it lies above the line.
    """
    seconds = steady_seconds(measurement)
    smaller = [
        (o.measurement.tokens, took, o.point.row_tokens)
        for o in earlier
        if o.verdict is Verdict.FITS
        and o.measurement is not None
        and o.point.gradient_checkpointing == point.gradient_checkpointing
        and o.point.packing == point.packing
        and o.measurement.tokens < measurement.tokens
        and (took := steady_seconds(o.measurement)) is not None
    ]
    if seconds is None or len(smaller) < 2:
        return None
    expected = _on_line([(tokens, took) for tokens, took, _ in smaller], measurement.tokens)
    tokens, took, row = max(smaller)
    longer = max(1.0, point.row_tokens / row)
    quadratic = took * measurement.tokens / tokens * longer
    if seconds <= max(cliff * expected, quadratic):
        return None
    reason = f"{expected:.1f} s a step expected, {_shown(seconds)} s measured"
    return Spill(Sign.SPEED, seconds, expected, reason)


def steady_seconds(measurement: Measurement) -> float | None:
    """Seconds of the fastest step after the first one, which also warms up; None without any."""
    return min(measurement.step_seconds[1:], default=None)


def _on_line(points: Sequence[tuple[int, float]], tokens: int) -> float:
    """The value at `tokens` of the least-squares line, never below the slowest of the points.

    More tokens do not take less time; where noise lets the line fall, the slowest point stands.
    """
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return max(mean_y + slope * (tokens - mean_x), *(y for _, y in points))


def _shown(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.1f}"
