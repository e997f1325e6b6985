"""What a run computes on and with, for whoever wants to do it again: names and versions."""

import platform
from importlib.metadata import PackageNotFoundError, version

from autotune.base.format import counted
from autotune.base.sizes import show_size
from autotune.device.cpu import processor_name
from autotune.device.find import NOT_REPORTED, Device, show_bytes

LIBRARIES = (
    *("smolsft-autotune", "torch", "transformers", "tokenizers", "safetensors"),
    *("numpy", "optuna", "if-verifiable"),
)
"""Whose versions may change what comes out: of training, of answers, of trials, of scores."""


def machine_facts(device: Device) -> dict[str, str]:
    """Operating system, Python, processor, card, driver and libraries, by name; no host or user."""
    import psutil

    on_card = device.kind != "cpu"
    cores = psutil.cpu_count() or 1
    known = {
        "operating system": platform.platform(),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "processor": f"{processor_name()}, {counted(cores, 'logical core')}",
        "memory": show_size(psutil.virtual_memory().total),
        "GPU": f"{device.name}, {show_bytes(device.total_bytes)}" if on_card else "none used",
        "GPU driver": device.driver or (NOT_REPORTED if on_card else ""),
        "compute capability": ".".join(map(str, device.capability or ())),
        **{name: _version(name) for name in LIBRARIES},
    }
    return {name: text for name, text in known.items() if text}


def _version(package: str) -> str:
    """A package's version from its metadata, empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
