"""Where a worker computes: device, threads, autocast and the memory meter."""

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autotune.protocol.choices import Precision
from autotune.protocol.job import DeviceSpec
from autotune.worker.device_kinds import KINDS, traits_of
from autotune.worker.memory.base import MemoryBackend

AUTOCAST = {Precision.FP16: torch.float16, Precision.BF16: torch.bfloat16}
"""The dtype of each 16-bit precision; fp32 has none."""


@dataclass
class Compute:
    """A device ready to work. `memory` has begun measuring when the worker starts its job."""

    device: torch.device
    precision: Precision
    memory: MemoryBackend
    name: str

    def autocast(self) -> AbstractContextManager[Any]:
        """The 16-bit region of a forward pass, or nothing for fp32."""
        dtype = AUTOCAST.get(self.precision)
        if dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=dtype)

    def synchronize(self) -> None:
        """Wait for the device, so that a clock read after it is honest."""
        wait = traits_of(self.device).synchronize
        if wait is not None:
            wait(self.device)


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device, without waiting for what that device is still doing.

    A copy to a card from ordinary memory waits for all that was asked of the card before
    (`copy_kernel_cuda` in torch's Copy.cu); one from page-locked memory only stands in line.
    """
    if traits_of(device).synchronize is None:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def open_compute(spec: DeviceSpec) -> Compute:
    """Prepare the device of a job."""
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    opened = KINDS[spec.kind].open(spec)
    return Compute(opened.device, spec.precision, opened.memory, opened.name)
