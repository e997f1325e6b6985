"""What a trial may use of a device, where that comes from, and what Windows grants of it.

Windows (WDDM) gives each process a budget of its own on a card, which CUDA reports as free. NVML
reports what nobody uses, and a process that takes that much makes the driver lend.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.format import counted
from autotune.base.model import Boundary
from autotune.base.sizes import CONTEXT_BYTES, parse_size, show_apart, show_mib, show_size
from autotune.device.find import Device, show_bytes
from autotune.device.nvml_port import DeviceUser
from autotune.protocol.device_kind import has_own_memory

SMALLER_CARD = 0.75
"""A budget below this share of a card is another card's: sizes on sale are a third apart or more
(6, 8, 12, 16, 24 GB), and what a screen and other programs take from one is less than that."""

WHOLE_CARD = 1.01
"""A size up to this many times what a device has means all of it. Cards keep a little of the memory
that they are sold with to themselves: an "8 GB" one reports 8188 MiB, one of 80 GB 81559, 0.4 %."""

MAX_NAMED = 3
"""Other users of a card that a sentence names; a desktop has a dozen with little each."""


class Budget(Boundary):
    """What one process may use, in bytes.

    `total_bytes` is what is there to spend: what is free on a card or a computer, with the
    `own_bytes` of it that our own processes still hold, or a size that was named.
    `reserve_bytes` is kept free of it for the driver, the screen and the allocator's slack.
    On a CPU it is the memory of the process; `on_card` says that it is a card's, and `card_bytes`
    what that card physically has, None where the driver does not say.
    """

    total_bytes: int
    reserve_bytes: int
    source: str
    own_bytes: int = 0
    on_card: bool = False
    card_bytes: int | None = None

    @property
    def limit_bytes(self) -> int:
        """The most that a trial may peak at, in bytes."""
        return self.total_bytes - self.reserve_bytes

    def holds(self, peak_bytes: int) -> bool:
        """Whether a peak is within it."""
        return peak_bytes <= self.limit_bytes


def auto_budget(device: Device, text: str, reserve: str, own: Collection[int] = ()) -> Budget:
    """What a trial may use on this device.

    `auto` is what is free now and what our own processes hold, less the reserve. `own` are their
    process ids: a worker of an earlier command that is still ending, for one. A size such as
    `7.2GiB` is taken as it is, without a reserve: who names a size means that size, and who names
    what the card was sold with (`8GiB`) means all of it.

    Raises:
        BadInput: not a size, or more than the device has.
        EnvironmentFault: more than is free now, or the driver does not say what is free.
    """
    reserve_bytes = parse_size(reserve)
    on_card = has_own_memory(device.kind)
    held = _held_bytes(device, own)
    if text.strip().lower() == "auto":
        total = _free_now(device, held)
        if total <= reserve_bytes:
            raise EnvironmentFault(
                f"{device.name}: {show_size(total)} free, and {show_size(reserve_bytes)} of it are"
                f" kept in reserve{_users_text(device, own)}; close other programs, or give a size"
                " with --vram-budget"
            )
        source = "free now"
    else:
        total, reserve_bytes, source = _named_size(device, text, held, own), 0, text
    return Budget(
        total_bytes=total,
        reserve_bytes=reserve_bytes,
        source=source,
        own_bytes=held,
        on_card=on_card,
        card_bytes=device.total_bytes if on_card else None,
    )


def _free_now(device: Device, held: int) -> int:
    """What is free on the device or held by our own processes."""
    if device.free_bytes is None:
        reason = device.doubt or "the driver does not report how much memory is free"
        raise EnvironmentFault(
            f"{device.name}: {reason}; give it with --vram-budget, for example --vram-budget 7GiB"
        )
    free = device.free_bytes + held
    return free if device.total_bytes is None else min(free, device.total_bytes)


def _named_size(device: Device, text: str, held: int, own: Collection[int]) -> int:
    """The size that a person named, at most what the device has."""
    size, total = parse_size(text), device.total_bytes
    free = None if device.free_bytes is None else device.free_bytes + held
    asked = f"memory budget {text}"
    if total is not None and size > WHOLE_CARD * total:
        raise BadInput(
            f"{asked}: {device.name} has {show_apart(size, total)[1]}; give at most that"
        )
    if total is not None and size > total:
        size = total
        asked += f" is all that the device has ({show_mib(total)})"
    if free is not None and size > free:
        left = show_mib(free) if size == total else show_apart(size, free)[1]
        raise EnvironmentFault(
            f"{asked}: only {left} of {device.name} are free now{_users_text(device, own)}; close"
            " other programs, give less, or say auto"
        )
    return size


def budget_sentence(
    budget: Budget, device: Device, own: Collection[int] = (), *, giver: str | None = None
) -> str:
    """The budget in one sentence: where it comes from, and who else is on the card with what.

    `giver` is what named a size, such as `--vram-budget`; None where that is not known. A size well
    below the card's is a smaller card played on a bigger one, and is called so.
    """
    text = f"budget {show_size(budget.limit_bytes)}"
    given = ", as given" if giver is None else f" ({giver})"
    if budget.source == "free now":
        text += f": {show_size(budget.total_bytes - budget.own_bytes)} free now"
        text += f" and {show_size(budget.own_bytes)} of our own" if budget.own_bytes else ""
        text += f" less {show_size(budget.reserve_bytes)} in reserve"
    elif not budget.on_card:
        text += f" for the memory of the process{given}"
    elif budget.limit_bytes == budget.card_bytes:
        text = f"budget {show_mib(budget.limit_bytes)}, all of the card, by a cap on the allocator"
    elif budget.card_bytes is not None and budget.limit_bytes < SMALLER_CARD * budget.card_bytes:
        text = (
            f"emulating a card of {show_size(budget.limit_bytes)} on {device.name}"
            f" ({show_size(budget.card_bytes)}) by a cap on the allocator"
        )
    else:
        text += f"{given}, by a cap on the allocator"
    if budget.on_card and (named := _named(_others(device, own))):
        text += f"; also on the card: {', '.join(named)}"
    return text


def _others(device: Device, own: Collection[int]) -> list[DeviceUser]:
    """Processes on the card that are not known to be ours, the largest first."""
    others = [user for user in device.users if user.outside or user.pid not in own]
    return sorted(others, key=lambda user: user.bytes or 0, reverse=True)


def _named(users: Sequence[DeviceUser]) -> list[str]:
    """`chrome 1234 (310 MiB)` for the first few, and how many are not named.

    In a container nobody is named: the driver's ids are the host's, and some may be our own.
    """
    here = [user for user in users if not user.outside]
    named = [
        f"{user.name or 'process'} {user.pid} ({show_bytes(user.bytes)})"
        for user in here[:MAX_NAMED]
    ]
    more = len(here) - len(named)
    if more:
        named.append(f"{more} more")
    outside = [user.bytes for user in users if user.outside]
    if outside:
        known = [size for size in outside if size is not None]
        held = show_bytes(sum(known) if known else None)
        processes = counted(len(outside), "process", "processes")
        named.append(f"{processes} ({held}) of this container or of its host")
    return named


def _users_text(device: Device, own: Collection[int]) -> str:
    """` (in use by ...)` with the largest other users, empty if there are none."""
    named = _named(_others(device, own))
    return f" (in use by {', '.join(named)})" if named else ""


def _held_bytes(device: Device, own: Collection[int]) -> int:
    """What our own processes hold on the device: on a card as the driver reports, else resident."""
    if has_own_memory(device.kind):
        ours = [user for user in device.users if user.pid in own and not user.outside]
        return sum(user.bytes or 0 for user in ours)
    return sum(_resident_bytes(pid) for pid in own)


def _resident_bytes(pid: int) -> int:
    """Resident memory of a process, 0 once it is gone or where it may not be asked."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def as_processes_see(device: Device, text: str, process_free_bytes: int | None) -> Device:
    """The device with no more free than a process of ours is given, where the budget is `auto`.

    Who names a size means that size, so for another `text` nothing is changed.

    Args:
        device: what NVML reports, before there was a process of ours on the card.
        text: the budget as it was written.
        process_free_bytes: what `torch.cuda.mem_get_info` gave a worker of ours, None where none
            was asked. The context of that worker is taken off already, and will be free again: up
            to `CONTEXT_BYTES`, so a difference of no more than that is none.
    """
    free = device.free_bytes
    if text.strip().lower() != "auto" or free is None or process_free_bytes is None:
        return device
    return replace(device, free_bytes=min(free, process_free_bytes + CONTEXT_BYTES))
