"""Which device to compute on, what is free on it and who else uses it.

Asks the driver's management library (NVML) only, which creates no CUDA context: looking at a card
takes none of its memory. What the driver does not report is None, said to be so, never 0.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.sizes import show_size
from autotune.device.cpu import has_bf16, processor_name
from autotune.device.kinds import KINDS, Traits, open_nvml
from autotune.device.nvml_port import Card, DeviceUser, NvmlPort, NvmlUnavailable
from autotune.device.visible import VARIABLE, visible, why_none
from autotune.protocol.device_kind import DeviceKind

NOT_REPORTED = "not reported"
"""What the screen shows for a value that the driver does not give."""

BF16_CAPABILITY = (8, 0)
"""Cards since Ampere (2020) have bf16 matrix units: NVIDIA's CUDA guide, table of arithmetic."""


@dataclass(frozen=True, slots=True)
class Device:
    """The chosen device. `index` counts as NVML does; `uuid` names the card whatever the order.

    `capability` is the card's as CUDA counts (8.9: Ada), None where the driver does not say.
    `bf16` is whether it multiplies bf16 matrices at full speed, False where that is not known.
    `note` is what a person should know beside: why a CPU was taken where a card might have been
    expected, or which of a card's figures were not believed (`doubt`); None otherwise.
    `peak_flops` is what a card's cores could do a second in fp32, None where that is not known.
    """

    kind: DeviceKind
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
    doubt: str | None = None
    peak_flops: float | None = None

    @property
    def traits(self) -> Traits:
        """What is known of every device of its kind."""
        return KINDS[self.kind]


def find_device(
    choice: str, nvml: NvmlPort | None = None, environ: Mapping[str, str] | None = None
) -> Device:
    """The device that `--device` names: `auto`, `cuda`, `cuda:N` or `cpu`.

    `auto` takes the first card that `CUDA_VISIBLE_DEVICES` leaves visible, else the CPU; `cuda:N`
    counts the visible cards from 0, as torch does. A card that is there and cannot be used is never
    passed over for the CPU.

    Raises:
        BadInput: another text, or an N beyond the last card.
        EnvironmentFault: `cuda` where there is no usable card; a card or a driver that does not
            answer; a card in MIG mode without a MIG device.
    """
    wanted = _wanted_index(choice)
    if choice == "cpu":
        return _cpu(None)
    nvml = open_nvml() if nvml is None else nvml
    try:
        found = nvml.cards()
    except NvmlUnavailable as error:
        if choice == "auto" and not error.is_fault:
            return _cpu(str(error))
        raise unusable(choice, str(error), error.remedy) from error
    text = (os.environ if environ is None else environ).get(VARIABLE)
    cards = visible(found, text)
    if not cards:
        reason, remedy, hidden = why_none(found, text)
        if choice == "auto" and hidden:
            return _cpu(reason)
        raise unusable(choice, reason, remedy)
    if wanted >= len(cards):
        last = "cuda" if len(cards) == 1 else f"cuda:0 to cuda:{len(cards) - 1}"
        raise BadInput(
            f"--device {choice}: this machine has {len(cards)} usable card(s), counted from 0;"
            f" use {last}"
        )
    card = cards[wanted]
    if card.problem is not None:
        raise unusable(
            choice,
            f"{card.name} does not answer (the driver reports: {card.problem})",
            "restart the computer if that stays",
        )
    return _on_card(card, nvml.users(card.index))


def unusable(choice: str, reason: str, remedy: str) -> EnvironmentFault:
    """The line on a card that cannot be computed on."""
    return EnvironmentFault(f"--device {choice}: {reason}; {remedy}, or use --device cpu")


def _on_card(card: Card, users: tuple[DeviceUser, ...]) -> Device:
    return Device(
        kind="cuda",
        name=card.name,
        index=card.index,
        uuid=card.uuid,
        total_bytes=card.total_bytes,
        free_bytes=card.free_bytes,
        driver=card.driver,
        users=users,
        capability=card.capability,
        bf16=card.capability is not None and card.capability >= BF16_CAPABILITY,
        note=None if card.doubt is None else f"{card.doubt}; they count as unknown",
        doubt=card.doubt,
        peak_flops=_peak_flops(card),
    )


def _peak_flops(card: Card) -> float | None:
    """Each core a product and a sum a tick of its highest clock (CUDA C++ Programming Guide)."""
    if not card.cores or not card.clock_hertz:
        return None
    return 2 * card.cores * card.clock_hertz


def show_bytes(size_bytes: int | None) -> str:
    """A size as the screen shows it; where the driver keeps it to itself, that."""
    return NOT_REPORTED if size_bytes is None else show_size(size_bytes)


def _wanted_index(choice: str) -> int:
    """The number after `cuda:`, 0 for the other choices."""
    if choice in {"auto", "cuda", "cpu"}:
        return 0
    kind, _, number = choice.partition(":")
    if kind == "cuda" and number.isascii() and number.isdigit():
        return int(number)
    raise BadInput(f"--device {choice}: must be auto, cuda, cuda:N (N from 0) or cpu")


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
