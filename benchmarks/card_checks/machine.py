"""The machine in facts: card, driver, versions."""

import os
import platform
import sys
from typing import Any

from benchmarks.card_checks.asked import Ask

PACKAGES = ("torch", "transformers", "accelerate", "huggingface_hub", "trl", "peft")


def machine(ask: Ask) -> dict[str, Any]:
    """What the figures depend on; no CUDA context is made in this process.

    Raises:
        EnvironmentFault: there is no card, or torch cannot compute on it.
    """
    from dataclasses import asdict
    from importlib import metadata

    from autotune.device.find import find_device
    from autotune.launch import SubprocessRunner
    from autotune.run.card_check import check_card

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    found = find_device(ask.device)
    # One product on the card, or the reason why torch cannot use it and what helps.
    answer = check_card(SubprocessRunner(), found, ask.card_index if ask.on_card else 0)
    device = asdict(found)
    device.pop("users")
    return {
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "threads": os.cpu_count(),
        "device": device,
        "torch_on_card": answer.model_dump() if answer else None,
        "packages": versions,
    }
