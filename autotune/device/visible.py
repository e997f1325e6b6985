"""Which cards CUDA shows a process, by `CUDA_VISIBLE_DEVICES` and MIG.

The variable is read as torch reads it (`torch.cuda._parse_visible_devices`, which follows CUDA), so
that the card that is looked at is the one that is computed on.
"""

import re
from collections.abc import Sequence

from autotune.device.nvml_port import Card

VARIABLE = "CUDA_VISIBLE_DEVICES"

_NUMBER = re.compile(r"[+-]?[0-9]+")
_PREFIXES = ("GPU-", "MIG-")


def listed(text: str) -> tuple[int, ...] | tuple[str, ...]:
    """What a text names: numbers of cards, or the beginnings of UUIDs of one kind.

    The first entry decides of which kind the list is. Numbers are read up to the first character
    that is no digit (`0garbage` is 0, `+1` is 1). An entry that is none, or below zero, ends the
    list; one that stands twice empties it.
    """
    prefix = next((p for p in _PREFIXES if text.startswith(p)), None)
    if prefix is not None:
        starts: list[str] = []
        for entry in text.split(","):
            if entry in starts:
                return ()
            if not entry.startswith(prefix):
                break
            starts.append(entry)
        return tuple(starts)
    numbers: list[int] = []
    for entry in text.split(","):
        match = _NUMBER.match(entry.strip())
        number = int(match.group()) if match else -1
        if number in numbers:
            return ()
        if number < 0:
            break
        numbers.append(number)
    return tuple(numbers)


def visible(cards: Sequence[Card], text: str | None) -> tuple[Card, ...]:
    """The devices that CUDA counts from 0, in its order; `text` is the variable, None if not set.

    A number beyond the last card and a beginning of no UUID, or of several, end the list. A process
    sees one MIG device at most, and no whole card beside it (NVIDIA's MIG guide, CUDA device
    enumeration); a card in MIG mode itself computes nothing.
    """
    whole = [card for card in cards if card.parent is None]
    chosen = whole if text is None else _named(cards, text)
    if chosen and chosen[0].parent is not None:
        return (chosen[0],)
    taken = {card.index for card in chosen if card.mig}
    first = [card for card in cards if card.parent in taken][:1]
    return tuple(first or [card for card in chosen if not card.mig])


def why_none(cards: Sequence[Card], text: str | None) -> tuple[str, str, bool]:
    """Why CUDA shows no device, what to do about it, and whether the CPU is a fair choice then.

    It is where there is no card and where the variable hides them, and not where a card is there to
    be used and is not set up for it.
    """
    if not cards:
        return "no NVIDIA card", "install the NVIDIA driver", True
    if text is not None and not _named(cards, text):
        setting, first = f"{VARIABLE}={text}", text.split(",")[0]
        if _named(cards, first):
            reason = f"{setting} names a card twice, which hides all"
        elif not listed(first):
            reason = f"{setting} hides every NVIDIA card"
        else:
            known = ", ".join(card.uuid or str(card.index) for card in cards)
            reason = f"{setting} names no single card of this machine ({known})"
        return reason, f"change or unset {VARIABLE}", True
    mig = next((card for card in cards if card.mig), cards[0])
    return (
        f"{mig.name} is in MIG mode and has no MIG device",
        "make one (nvidia-smi mig -cgi ... -C) or switch the mode off (nvidia-smi -mig 0)",
        False,
    )


def _named(cards: Sequence[Card], text: str) -> list[Card]:
    """The cards, or MIG devices, that a text names, in its order."""
    names, mig = listed(text), text.startswith("MIG-")
    candidates = [card for card in cards if (card.parent is not None) == mig]
    found: list[Card] = []
    for name in names:
        if isinstance(name, int):
            match = candidates[name : name + 1]
        else:
            match = [card for card in candidates if (card.uuid or "").startswith(name)]
        if len(match) != 1:
            break
        if match[0] in found:
            return []
        found.append(match[0])
    return found
