"""A card's memory figures, believed only where they can be true."""

from dataclasses import dataclass

from autotune.base.sizes import MIB

NOT_REPORTED_BYTES = 2**64 - 1
"""NVML's "not available" for a byte count (unsigned -1)."""

LARGEST_CARD = 2**44
"""16 TiB, some fifty times the largest card on sale in 2026: a total above it has wrapped round."""


@dataclass(frozen=True, slots=True)
class CardMemory:
    """Bytes of a card; None where unknown or not plausible. `doubt` is a sentence on the latter."""

    total_bytes: int | None
    free_bytes: int | None
    used_bytes: int | None
    doubt: str | None = None


UNKNOWN = CardMemory(None, None, None)


def card_memory(total: int, free: int, used: int) -> CardMemory:
    """What the driver's three figures come to.

    None of them may be above the total, and a card has some memory. Where used or free breaks that
    rule neither is believed, since they are one reading; the total is what the card was made with.
    """
    found = CardMemory(_reported(total), _reported(free), _reported(used))
    doubt = (
        f"the driver's figures cannot be true ({_mib(used)} used and {_mib(free)} free of"
        f" {_mib(total)})"
    )
    if found.total_bytes is not None and not 0 < found.total_bytes <= LARGEST_CARD:
        return CardMemory(None, None, None, doubt)
    bound = LARGEST_CARD if found.total_bytes is None else found.total_bytes
    if all(0 <= size <= bound for size in (found.free_bytes, found.used_bytes) if size is not None):
        return found
    return CardMemory(found.total_bytes, None, None, doubt)


def within_card(size: int | None, total_bytes: int | None) -> int | None:
    """What one process holds, None where that is not reported or more than the whole card."""
    if size is None or size == NOT_REPORTED_BYTES:
        return None
    return size if 0 <= size <= (total_bytes or LARGEST_CARD) else None


def _reported(size: int) -> int | None:
    return None if size == NOT_REPORTED_BYTES else size


def _mib(size: int) -> str:
    return "not reported" if size == NOT_REPORTED_BYTES else f"{size / MIB:.0f} MiB"
