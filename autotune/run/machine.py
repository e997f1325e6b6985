"""What a run computes on and with, for whoever wants to do it again: names and versions."""

import platform
from importlib import metadata
from pathlib import Path

from autotune.base.checkout import commit_of
from autotune.base.format import counted
from autotune.base.sizes import show_size
from autotune.device.cpu import processor_name
from autotune.device.find import NOT_REPORTED, Device, show_bytes

PROGRAM = "smolsft-autotune"

LIBRARIES = (PROGRAM, "torch", "transformers", "tokenizers", "safetensors", "numpy", "optuna")
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
        PROGRAM: program_version(),
    }
    return {name: text for name, text in known.items() if text}


def program_version() -> str:
    """The tool's own version, by which it can be had again: `0.3.0 (commit 9f0a28b1c2d3)`.

    The commit where it runs from a clone: there a version stands for many of them. Whether files
    were changed since is not looked at.
    """
    source = Path(__file__).resolve().parents[2]
    commit = commit_of(source) if (source / "pyproject.toml").is_file() else None
    version = _version(PROGRAM) or "source tree"
    return f"{version} (commit {commit})" if commit else version


def _version(package: str) -> str:
    """A package's version from its metadata, empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
