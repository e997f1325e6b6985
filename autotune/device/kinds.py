"""What the kinds of devices differ in, as far as it is decided on: one entry a kind.

What computes differs as well; that is the worker's table, `autotune/worker/device_kinds.py`.

Example, of Apple's GPUs, which share the computer's memory and have no driver to ask:

    "mps": Traits(
        is_card=True,
        precision=Precision.FP16,
        any_precision=True,
        prefill_tokens=8192,
        profile="apple-16gb",
        compiles=False,
        attention_varies=True,
        fresh_trials=False,
        guesses=False,
        open_driver=None,
    )
"""

from collections.abc import Callable
from dataclasses import dataclass

from autotune.device.nvml_port import NvmlPort
from autotune.protocol.choices import Precision
from autotune.protocol.device_kind import DeviceKind


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of every device of a kind. Whether it has its own memory: `has_own_memory`."""

    is_card: bool
    """A card, which torch may not be built for, and which is not given up for a CPU unasked."""

    precision: Precision
    """What `auto` means where it has no bf16."""

    any_precision: bool
    """It computes 16 bits as fast as 32 or faster, whichever they are."""

    prefill_tokens: int
    """Tokens of prompts read in a pass of an evaluation: what it does in about a second."""

    profile: str
    """The profile for a machine that has one, where no other is named."""

    compiles: bool
    """Compiled layers are tried by themselves. On a CPU compiling takes minutes, which only a long
    training gets back."""

    attention_varies: bool
    """Whether it has a fused attention kernel depends on torch's build, the device and the model,
    so plain mathematics is worth a warning."""

    fresh_trials: bool
    """A trial needs a process of its own: the peak also holds what earlier ones left behind."""

    guesses: bool
    """A predicted peak is near enough to begin a search at. On a CPU what the allocator holds on to
    is too much of it."""

    open_driver: Callable[[], NvmlPort] | None
    """What reports on it unopened: who uses it, how warm it is. None where nothing does."""


def open_nvml() -> NvmlPort:
    """This machine's NVIDIA driver; loaded only where there is a card to ask about."""
    from autotune.device.nvml import Nvml

    return Nvml()


KINDS: dict[DeviceKind, Traits] = {
    "cuda": Traits(
        is_card=True,
        precision=Precision.FP16,
        any_precision=True,
        prefill_tokens=16384,
        profile="nvidia",
        compiles=True,
        attention_varies=True,
        fresh_trials=False,
        guesses=True,
        open_driver=open_nvml,
    ),
    "cpu": Traits(
        is_card=False,
        precision=Precision.FP32,
        any_precision=False,
        prefill_tokens=4096,
        profile="cpu-smollm2",
        compiles=False,
        attention_varies=False,
        fresh_trials=True,
        guesses=False,
        open_driver=None,
    ),
}

PLANNED: DeviceKind = "cuda"
"""The kind of a card that is planned for without being there."""
