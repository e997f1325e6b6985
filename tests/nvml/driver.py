"""Processes that meet a driver which is not there: `nvml.c`, found by the real `pynvml`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("nvml.c")

OUTSIDE = """
from pathlib import Path
import autotune.device.pid_space
autotune.device.pid_space.NAMESPACE = Path("/dev/null")  # another namespace than the driver's
"""
"""Put before a program that is to believe that it runs in a container."""


@dataclass(frozen=True)
class Driver:
    """Two builds of the library: as of now, and as before 2022."""

    now: Path
    old: Path

    def environment(self, scene: str, **more: str) -> dict[str, str]:
        """The environment in which a process finds this scene; `old` is a card of an old driver."""
        kept = {name: text for name, text in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
        folder, played = (self.old, "linux") if scene == "old" else (self.now, scene)
        ours = {"NVML_SCENE": played, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(ROOT)}
        return kept | ours | more

    def asked(self, scene: str, program: str, **more: str) -> Any:
        """What a program prints in its last line, as JSON. A warning is a failure."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            env=self.environment(scene, **more),
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


def built(folder: Path) -> Driver:
    """The library, compiled into a folder; skips the test where that cannot be done."""
    if sys.platform != "linux":
        pytest.skip("pynvml finds a library by LD_LIBRARY_PATH on Linux only")
    compilers: Mapping[str, str | None] = {
        name: shutil.which(name) for name in (os.environ.get("CC", "cc"), "gcc", "clang")
    }
    compiler = next((path for path in compilers.values() if path), None)
    if compiler is None:
        pytest.skip(f"needs a C compiler ({', '.join(compilers)})")
    for name, option in (("now", "-DNOW"), ("old", "-DOLD_DRIVER")):
        target = folder / name / "libnvidia-ml.so.1"
        target.parent.mkdir()
        command = [compiler, "-shared", "-fPIC", "-Wall", option, "-o", str(target), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
    return Driver(folder / "now", folder / "old")
