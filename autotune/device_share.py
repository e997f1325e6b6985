"""What of a card's free memory a process of ours may have: on Windows less than NVML calls free.

Windows (WDDM) gives each process a budget of its own on a card, which CUDA tells as free. NVML
tells what nobody uses, and a process that takes that much makes the driver lend.
"""

from dataclasses import replace

from autotune.budget import CONTEXT_BYTES
from autotune.device import Device


def as_processes_see(device: Device, text: str, process_free_bytes: int | None) -> Device:
    """The device with no more free than a process of ours is given, where the budget is `auto`.

    Who names a size means that size, so for another `text` nothing is changed.

    Args:
        device: what NVML tells, before there was a process of ours on the card.
        text: the budget as it was written.
        process_free_bytes: what `torch.cuda.mem_get_info` told a worker of ours, None where none
            was asked. The context of that worker is taken off already, and will be free again: up
            to `CONTEXT_BYTES`, so a difference of no more than that is none.
    """
    free = device.free_bytes
    if text.strip().lower() != "auto" or free is None or process_free_bytes is None:
        return device
    return replace(device, free_bytes=min(free, process_free_bytes + CONTEXT_BYTES))
