"""How long a training for a card takes on a CPU: an estimate, so that nobody begins it unaware."""

import psutil

from autotune.config.profile import Profile
from autotune.data.assumed import CONVERSATIONS, TOKENS_A_CONVERSATION
from autotune.device.find import Device
from autotune.protocol.choices import Precision

TOKENS_A_CORE_SECOND = 60.0
"""SmolLM2-135M in fp32: 110 to 130 tokens a second on two cores (docs/LOG.md, 2026-11-25)."""

SIXTEEN_BITS = 40.0
"""How many times slower 16-bit arithmetic is without instructions for it: 32 times in a step of the
toy, and products of the true shapes fall from 190 to between 1 and 23 GF/s (docs/LOG.md)."""


def training_hours(profile: Profile, device: Device, precision: Precision) -> float:
    """Hours of training that the profile's first strategy takes on this CPU, very roughly."""
    strategy = profile.strategies[0]
    conversations = profile.train.max_conversations or CONVERSATIONS
    tokens = conversations * TOKENS_A_CONVERSATION * strategy.num_train_epochs
    cores = profile.machine.threads or psutil.cpu_count(logical=False) or 1
    hours = tokens / (cores * TOKENS_A_CORE_SECOND) / 3600
    return hours * slowdown(device, precision)


def slowdown(device: Device, precision: Precision) -> float:
    """How many times longer a precision takes on this device than fp32, for lack of instructions.

    Every card has instructions for the precisions that it is given.
    """
    return SIXTEEN_BITS if not device.traits.is_card and slows(device, precision) else 1.0


def slows(device: Device, precision: Precision) -> bool:
    """Whether this CPU has no instructions for the precision, and takes `SIXTEEN_BITS` longer."""
    return precision is Precision.FP16 or (precision is Precision.BF16 and not device.bf16)
