"""Whether what the driver's library (NVML) says of the card is what torch says of it.

One process looks through the tool's own ports: the card before a context, the context, and one
allocation of a known size.
"""

from typing import Any

import psutil
import torch

from autotune.base.sizes import MIB
from autotune.device.find import find_device
from autotune.device.nvml_port import NvmlPort
from benchmarks.card_checks.asked import Answer, Ask, Figures

ASKED_BYTES = 1024 * MIB
GRAIN_BYTES = 32 * MIB
"""The allocator takes large blocks in multiples of 20 MiB from the card, the driver in 2 MiB."""

TOTAL_SHARE = 0.03
"""The driver keeps a part of the card for itself, and torch may not count it."""


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where identity, size, growth and the tool's own context agree."""
    figures["bytes_asked"] = ASKED_BYTES if ask.on_card else 256 * MIB
    if not ask.on_card:
        return resident(figures)
    from autotune.device.nvml import Nvml
    from autotune.worker.memory.cuda import CudaMemory

    return card(ask, figures, Nvml(), CudaMemory(ask.card_index))


def card(ask: Ask, figures: Figures, nvml: NvmlPort, meter: Any) -> Answer:
    """The card's memory as both count it; `meter` is the worker's, it makes the context."""
    device = find_device(ask.device, nvml)
    before = nvml.state(device.index).used_bytes
    faults = ["looking at the card made a context"] if torch.cuda.is_initialized() else []
    meter.begin(device.total_bytes or 2**40)
    opened = nvml.state(device.index).used_bytes
    figures["context_bytes"] = meter.context_bytes
    properties: Any = torch.cuda.get_device_properties(ask.card_index)
    figures["names"] = [device.name, properties.name]
    figures["uuids"] = [device.uuid, str(getattr(properties, "uuid", None))]
    figures["total_bytes"] = [device.total_bytes, properties.total_memory]
    free, total = torch.cuda.mem_get_info(ask.card_index)
    figures["free_bytes"] = [find_device(ask.device, nvml).free_bytes, free]
    held = torch.empty(ASKED_BYTES, dtype=torch.uint8, device=f"cuda:{ask.card_index}")
    torch.cuda.synchronize()
    grown = nvml.state(device.index).used_bytes
    figures["used_bytes"] = [before, opened, grown]
    own = [user for user in nvml.users(device.index) if user.pid == psutil.Process().pid]
    figures["own_process_bytes"] = own[0].bytes if own else "not among the card's users"
    del held
    if None in (before, opened, grown) or device.total_bytes is None:
        return Answer(False, "the driver does not say what is in use")
    if figures["uuids"][0] and figures["uuids"][1] not in ("None", device.uuid[4:], device.uuid):
        faults.append("the driver's card is not torch's")
    if abs(device.total_bytes - total) > TOTAL_SHARE * total:
        faults.append("the sizes of the card differ")
    if abs(grown - opened - ASKED_BYTES) > GRAIN_BYTES:
        faults.append(f"1024 MiB asked, {(grown - opened) // MIB} MiB more in use")
    line = f"context {meter.context_bytes // MIB} MiB, 1024 MiB are {(grown - opened) // MIB}"
    return Answer(not faults, "; ".join(faults) or line)


def resident(figures: Figures) -> Answer:
    """The stand-in on a CPU: resident memory of this process."""
    from autotune.worker.memory.cpu import CpuMemory

    meter = CpuMemory()
    before = meter.read().held_bytes
    held = torch.ones(figures["bytes_asked"], dtype=torch.uint8)
    after = meter.read().held_bytes
    figures["used_bytes"] = [before, after]
    grown = (after - before) // MIB
    return Answer(None, f"no card: {held.numel() // MIB} MiB asked, {grown} MiB more resident")
