"""Which device to compute on, what is free on it and who else uses it.

Asks the driver's management library (NVML) only, which creates no CUDA context: looking at a card
takes none of its memory. What the driver does not tell is None, shown as n/a, never 0.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autotune.budget import Budget, parse_size, show_size
from autotune.device_port import Card, DeviceUser, NvmlPort, NvmlUnavailable
from autotune.errors import BadInput, EnvironmentFault
from autotune.processor import has_bf16, processor_name

VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"

NOT_AVAILABLE = "n/a"
"""What the screen shows for a value that the driver does not give."""

BF16_CAPABILITY = (8, 0)
"""Cards since Ampere (2020) have bf16 matrix units: NVIDIA's CUDA guide, table of arithmetic."""

SMALLER_CARD = 0.75
"""A budget below this share of a card is another card's: sizes on sale are a third apart or more
(6, 8, 12, 16, 24 GB), and what a screen and other programs take from one is less than that."""

MOST_NAMED = 3
"""Other users of a card that a sentence names; a desktop has a dozen with little each."""


@dataclass(frozen=True, slots=True)
class Device:
    """The chosen device. `index` counts as NVML does; `uuid` names the card whatever the order.

    `capability` is the card's as CUDA counts (8.9: Ada), None where the driver does not say.
    `bf16` is whether it multiplies bf16 matrices at full speed, False where that is not known.
    `note` says why a CPU was taken where a card might have been expected, and is None otherwise.
    """

    kind: Literal["cuda", "cpu"]
    name: str
    index: int
    uuid: str | None
    total_bytes: int | None
    free_bytes: int | None
    driver: str | None
    users: tuple[DeviceUser, ...] = ()
    capability: tuple[int, int] | None = None
    bf16: bool = False
    note: str | None = None


def find_device(
    choice: str, nvml: NvmlPort | None = None, environ: Mapping[str, str] | None = None
) -> Device:
    """The device that `--device` names: `auto`, `cuda`, `cuda:N` or `cpu`.

    `auto` takes the first card that `CUDA_VISIBLE_DEVICES` leaves visible, else the CPU; `cuda:N`
    counts the visible cards from 0, as torch does.

    Raises:
        BadInput: another text, or an N beyond the last card.
        EnvironmentFault: `cuda` where there is no usable card.
    """
    wanted = _wanted_index(choice)
    if choice == "cpu":
        return _cpu(None)
    if nvml is None:
        from autotune.device_nvml import Nvml

        nvml = Nvml()
    try:
        cards = _visible(nvml.cards(), os.environ if environ is None else environ)
        problem = None if cards else f"no NVIDIA card (or {VISIBLE_VARIABLE} hides it)"
    except NvmlUnavailable as error:
        cards, problem = (), str(error)
    if problem is not None:
        if choice == "auto":
            return _cpu(problem)
        raise EnvironmentFault(
            f"--device {choice}: {problem}; install the NVIDIA driver, or use --device cpu"
        )
    if wanted >= len(cards):
        raise BadInput(
            f"--device {choice}: this machine has {len(cards)} usable card(s), counted from 0;"
            f" use cuda:{len(cards) - 1} or less"
        )
    card = cards[wanted]
    return Device(
        kind="cuda",
        name=card.name,
        index=card.index,
        uuid=card.uuid,
        total_bytes=card.total_bytes,
        free_bytes=card.free_bytes,
        driver=card.driver,
        users=nvml.users(card.index),
        capability=card.capability,
        bf16=card.capability is not None and card.capability >= BF16_CAPABILITY,
    )


def auto_budget(device: Device, text: str, reserve: str, own: Collection[int] = ()) -> Budget:
    """What a trial may use on this device.

    `auto` is what is free now and what our own processes hold, less the reserve. `own` are their
    process ids: a worker of an earlier command that is still ending, for one. A size such as
    `7.2GiB` is taken as it is, without a reserve: who names a size means that size.

    Raises:
        BadInput: not a size, or more than the device has.
        EnvironmentFault: more than is free now, or the driver does not say what is free.
    """
    reserve_bytes = parse_size(reserve)
    users = _users_text(device, own)
    on_card = device.kind == "cuda"
    card_bytes = device.total_bytes if on_card else None
    free, held = device.free_bytes, _held_bytes(device, own)
    if text.strip().lower() == "auto":
        if free is None:
            raise EnvironmentFault(
                f"{device.name}: the driver does not say how much memory is free; give it with"
                " --vram-budget, for example --vram-budget 7GiB"
            )
        total = free + held if device.total_bytes is None else min(free + held, device.total_bytes)
        if total <= reserve_bytes:
            raise EnvironmentFault(
                f"{device.name}: {show_size(total)} free, and {show_size(reserve_bytes)} of it are"
                f" kept in reserve{users}; close other programs, or give a size with --vram-budget"
            )
        return Budget(
            total_bytes=total,
            reserve_bytes=reserve_bytes,
            source="free now",
            own_bytes=held,
            on_card=on_card,
            card_bytes=card_bytes,
        )
    size = parse_size(text)
    if device.total_bytes is not None and size > device.total_bytes:
        raise BadInput(
            f"memory budget {text}: {device.name} has {show_size(device.total_bytes)}; give at most"
            " that"
        )
    if free is not None and size > free + held:
        raise EnvironmentFault(
            f"memory budget {text}: only {show_size(free + held)} of {device.name} are free"
            f" now{users}; close other programs, give less, or say auto"
        )
    return Budget(
        total_bytes=size,
        reserve_bytes=0,
        source=text,
        own_bytes=held,
        on_card=on_card,
        card_bytes=card_bytes,
    )


def budget_sentence(budget: Budget, device: Device, own: Collection[int] = ()) -> str:
    """The budget in one sentence: where it comes from, and who else is on the card with what.

    A size well below the card's is a smaller card played on a bigger one, and is called so.
    """
    text = f"budget {show_size(budget.limit_bytes)}"
    if budget.source == "free now":
        text += f": {show_size(budget.total_bytes - budget.own_bytes)} free now"
        text += f" and {show_size(budget.own_bytes)} of our own" if budget.own_bytes else ""
        text += f" less {show_size(budget.reserve_bytes)} in reserve"
    elif not budget.on_card:
        text += " for the memory of the process, as given"
    elif budget.card_bytes is not None and budget.limit_bytes < SMALLER_CARD * budget.card_bytes:
        text = (
            f"emulating a card of {show_size(budget.limit_bytes)} on {device.name}"
            f" ({show_size(budget.card_bytes)}) by a cap on the allocator"
        )
    else:
        text += " as given, by a cap on the allocator"
    if budget.on_card and (named := _named(_others(device, own))):
        text += f"; also on the card: {', '.join(named)}"
    return text


def show_bytes(size_bytes: int | None) -> str:
    """A size as the screen shows it, `n/a` where it is not known."""
    return NOT_AVAILABLE if size_bytes is None else show_size(size_bytes)


def _wanted_index(choice: str) -> int:
    """The number after `cuda:`, 0 for the other choices."""
    if choice in {"auto", "cuda", "cpu"}:
        return 0
    kind, _, number = choice.partition(":")
    if kind == "cuda" and number.isascii() and number.isdigit():
        return int(number)
    raise BadInput(f"--device {choice}: must be auto, cuda, cuda:N (N from 0) or cpu")


def _visible(cards: tuple[Card, ...], environ: Mapping[str, str]) -> tuple[Card, ...]:
    """The cards that CUDA would see, in its order: by index or by the start of a UUID.

    As in CUDA, the first entry that names no card ends the list, so `-1` and `` hide all.
    """
    text = environ.get(VISIBLE_VARIABLE)
    if text is None:
        return cards
    seen: list[Card] = []
    for entry in (part.strip() for part in text.split(",")):
        match = [
            c
            for c in cards
            if entry == str(c.index)
            or (entry.startswith("GPU-") and (c.uuid or "").startswith(entry))
        ]
        if len(match) != 1 or match[0] in seen:
            break
        seen.append(match[0])
    return tuple(seen)


def _others(device: Device, own: Collection[int]) -> list[DeviceUser]:
    """Processes on the card that are not ours, the largest first."""
    others = [user for user in device.users if user.pid not in own]
    return sorted(others, key=lambda user: user.bytes or 0, reverse=True)


def _named(users: Sequence[DeviceUser]) -> list[str]:
    """`chrome 1234 (310 MiB)` for the first few, and how many are not named."""
    named = [
        f"{user.name or 'process'} {user.pid} ({show_bytes(user.bytes)})"
        for user in users[:MOST_NAMED]
    ]
    more = len(users) - len(named)
    return [*named, f"{more} more"] if more else named


def _users_text(device: Device, own: Collection[int]) -> str:
    """` (in use by ...)` with the largest other users, empty if there are none."""
    named = _named(_others(device, own))
    return f" (in use by {', '.join(named)})" if named else ""


def _held_bytes(device: Device, own: Collection[int]) -> int:
    """What our own processes hold on the device: on a card as the driver tells, else resident."""
    if device.kind == "cuda":
        return sum(user.bytes or 0 for user in device.users if user.pid in own)
    return sum(_resident_bytes(pid) for pid in own)


def _resident_bytes(pid: int) -> int:
    """Resident memory of a process, 0 once it is gone or where it may not be asked."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _cpu(note: str | None) -> Device:
    import psutil

    memory = psutil.virtual_memory()
    return Device(
        kind="cpu",
        name=processor_name(),
        index=0,
        uuid=None,
        total_bytes=memory.total,
        free_bytes=memory.available,
        driver=None,
        bf16=has_bf16(),
        note=note,
    )
