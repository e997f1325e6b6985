"""Where a worker computes: device, threads, autocast and the memory meter."""

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autotune.base.format import counted
from autotune.protocol.job import DeviceSpec
from autotune.protocol.plan import Precision
from autotune.worker.memory.base import MemoryBackend
from autotune.worker.memory.cpu import CpuMemory

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
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device, without waiting for what that device is still doing.

    A copy to a card from ordinary memory waits for all that was asked of the card before
    (`copy_kernel_cuda` in torch's Copy.cu); one from page-locked memory only stands in line.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def open_compute(spec: DeviceSpec) -> Compute:
    """Prepare the device of a job.

    Deterministic algorithms are asked for on the CPU, where they cost nothing and make a resumed
    run equal to an undisturbed one bit for bit.
    """
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    memory: MemoryBackend
    if spec.kind == "cuda":
        from autotune.worker.memory.cuda import CudaMemory, expandable_segments
        from autotune.worker.warmup import warm_up

        device = torch.device("cuda", spec.index)
        card = CudaMemory(spec.index, warm_up=lambda: warm_up(device, spec.precision))
        card.begin(spec.limit_bytes)  # first of all: it measures what creating a context takes
        memory = card
        name = torch.cuda.get_device_name(device)
        if expandable_segments():
            name += ", expandable segments"  # somebody's own setting, which changes what fits
    else:
        device = torch.device("cpu")
        torch.use_deterministic_algorithms(True)
        # It would also fill every new tensor with NaN to show reads of unset memory: a tenth of
        # the time of a step, and no part of the result.
        deterministic: Any = torch.utils.deterministic
        deterministic.fill_uninitialized_memory = False
        memory = CpuMemory()
        memory.begin(spec.limit_bytes)
        name = f"CPU, {counted(torch.get_num_threads(), 'thread')}"
    return Compute(device, spec.precision, memory, name)
