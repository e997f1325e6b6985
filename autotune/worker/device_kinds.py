"""What the kinds of devices differ in, as far as it is computed with: one entry a kind.

Keyed by torch's own name of the type, as every tensor has it. What differs in decisions (precision,
profile, ...) is the other table, `autotune/device/kinds.py`.

Example, of Apple's GPUs, once `autotune/worker/memory/mps.py` can open one and read its memory:

    "mps": TorchTraits(
        open=_open_mps,
        engine="rows",
        most_padding=math.inf,
        kernels={},
    )

Everything that is left out is what is safe for a device that nobody has measured.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch.nn.attention import SDPBackend

from autotune.protocol.job import DeviceSpec, EngineName
from autotune.protocol.kernels import Kernel
from autotune.worker.memory.base import OpenedDevice


@dataclass(frozen=True, slots=True)
class TorchTraits:
    """How a kind of device is opened, what its own ways are, and what it is known to do."""

    open: Callable[[DeviceSpec], OpenedDevice]
    """Prepares the device of a job and begins to measure its memory."""

    engine: EngineName
    """What answers prompts where none was asked for."""

    most_padding: float
    """All rows of a pass attend in one call where that is at most so many times the work that there
    is, else one by one, which pads nothing and takes more calls."""

    kernels: Mapping[Kernel, SDPBackend] = field(default_factory=dict)
    """Its fused attention kernels that torch may have, in the order in which torch takes them."""

    reads_shared_heads: bool = False
    """Its fused kernel serves `enable_gqa`, whatever torch was built with."""

    has_varlen: bool = False
    """torch may have variable-length attention for it."""

    widens_short_bf16: bool = False
    """Short bf16 segments attend faster in fp32."""

    records_passes: bool = False
    """A pass of a steady shape can be recorded once and replayed (CUDA graphs)."""

    synchronize: Callable[[torch.device], None] | None = None
    """Waits for what was asked of the device; None where a call ends when its work is done. Where
    there is something to wait for, copies are made from page-locked memory and wait for nothing."""

    block_bytes: int = 64
    """What its allocator rounds a request up to. 64 is the alignment of tensors on a CPU
    (gAlignment in c10/core/alignment.h)."""

    has_workspaces: bool = False
    """Its kernels and libraries take memory beside tensors, as `predict.workspaces` counts it."""


def _open_card(spec: DeviceSpec) -> OpenedDevice:
    from autotune.worker.memory.cuda import open_card

    return open_card(spec)


def _open_cpu(spec: DeviceSpec) -> OpenedDevice:
    from autotune.worker.memory.cpu import open_cpu

    return open_cpu(spec)


def _wait_for_card(device: torch.device) -> None:
    torch.cuda.synchronize(device)


KINDS: dict[str, TorchTraits] = {
    "cpu": TorchTraits(
        open=_open_cpu,
        engine="rows",  # measured beside the others on CPUs: docs/LOG.md
        most_padding=3.0,  # a call a row takes a fifth of a pass: docs/LOG.md
        kernels={Kernel.CPU: SDPBackend.FLASH_ATTENTION},
        reads_shared_heads=True,
        widens_short_bf16=True,
    ),
    "cuda": TorchTraits(
        open=_open_card,
        # Not measured: no card has answered yet. What a CPU showed stays until one has, and
        # benchmarks/ifeval_generation.py measures them all.
        engine="rows",
        most_padding=math.inf,  # calls take a card much more than padding
        # Where workers run: `TORCH_CUDNN_SDPA_DEPRIORITIZED` is set for them.
        kernels={
            Kernel.FLASH: SDPBackend.FLASH_ATTENTION,
            Kernel.EFFICIENT: SDPBackend.EFFICIENT_ATTENTION,
            Kernel.CUDNN: SDPBackend.CUDNN_ATTENTION,
        },
        has_varlen=True,
        records_passes=True,
        synchronize=_wait_for_card,
        block_bytes=512,  # kMinBlockSize of PyTorch's allocator for CUDA
        has_workspaces=True,
    ),
}


UNKNOWN = TorchTraits(open=_open_cpu, engine="rows", most_padding=math.inf)
"""What is assumed of tensors elsewhere, such as on torch's `meta`."""


def traits_of(device: torch.device | str) -> TorchTraits:
    """The entry of a device or of a type of devices."""
    return KINDS.get(device if isinstance(device, str) else device.type, UNKNOWN)
