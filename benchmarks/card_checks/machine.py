"""The machine in facts: card, driver, versions."""

import os
import platform
import sys
from typing import Any

from benchmarks.card_checks.asked import Ask

PACKAGES = ("torch", "transformers", "accelerate", "huggingface_hub", "trl", "peft")


def machine(ask: Ask) -> dict[str, Any]:
    """What the figures depend on; no CUDA context is made here."""
    from dataclasses import asdict
    from importlib import metadata

    from autotune.device import find_device

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    device = asdict(find_device(ask.device))
    device.pop("users")
    return {
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "threads": os.cpu_count(),
        "device": device,
        "packages": versions,
    }
