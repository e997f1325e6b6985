"""Which device to compute on, what is free on it and who else uses it.

Asks the driver's management library (NVML) only, which creates no CUDA context: looking at a card
takes none of its memory. What the driver does not tell is None, shown as n/a, never 0.
"""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autotune.budget import Budget, parse_size, show_size
from autotune.device_port import Card, DeviceUser, NvmlPort, NvmlUnavailable
from autotune.errors import BadInput, EnvironmentFault

VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"

NOT_AVAILABLE = "n/a"
"""What the screen shows for a value that the driver does not give."""


@dataclass(frozen=True, slots=True)
class Device:
    """The chosen device. `index` counts as NVML does; `uuid` names the card whatever the order.

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
    )


def auto_budget(device: Device, text: str, reserve: str) -> Budget:
    """What a trial may use on this device.

    `auto` is what is free now less the reserve. A size such as `7.2GiB` is taken as it is, without
    a reserve: who names a size means that size.

    Raises:
        BadInput: not a size, or more than the device has.
        EnvironmentFault: more than is free now, or the driver does not say what is free.
    """
    reserve_bytes = parse_size(reserve)
    users = _users_text(device.users)
    free = device.free_bytes
    if text.strip().lower() == "auto":
        if free is None:
            raise EnvironmentFault(
                f"{device.name}: the driver does not say how much memory is free; give it with"
                " --vram-budget, for example --vram-budget 7GiB"
            )
        if free <= reserve_bytes:
            raise EnvironmentFault(
                f"{device.name}: {show_size(free)} free, and {show_size(reserve_bytes)} of it are"
                f" kept in reserve{users}; close other programs, or give a size with --vram-budget"
            )
        return Budget(total_bytes=free, reserve_bytes=reserve_bytes, source="free now")
    size = parse_size(text)
    total = device.total_bytes
    if total is not None and size > total:
        raise BadInput(
            f"memory budget {text}: {device.name} has {show_size(total)}; give at most that"
        )
    if free is not None and size > free:
        raise EnvironmentFault(
            f"memory budget {text}: only {show_size(free)} of {device.name} are free now{users};"
            " close other programs, give less, or say auto"
        )
    return Budget(total_bytes=size, reserve_bytes=0, source=text)


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


def _users_text(users: tuple[DeviceUser, ...]) -> str:
    """` (in use by ...)` with the largest three users, empty if there are none."""
    largest = sorted(users, key=lambda u: u.bytes or 0, reverse=True)[:3]
    named = [f"{u.name or 'pid'} {u.pid}: {show_bytes(u.bytes)}" for u in largest]
    return f" (in use by {', '.join(named)})" if named else ""


def _cpu(note: str | None) -> Device:
    import psutil

    memory = psutil.virtual_memory()
    return Device(
        kind="cpu",
        name=_cpu_name(),
        index=0,
        uuid=None,
        total_bytes=memory.total,
        free_bytes=memory.available,
        driver=None,
        note=note,
    )


def _cpu_name() -> str:
    """The processor's name as the system gives it; Linux keeps it in a file of its own."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    except (OSError, UnicodeDecodeError):
        pass
    return platform.processor() or platform.machine() or "CPU"
