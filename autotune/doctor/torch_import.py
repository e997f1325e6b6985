"""Whether torch can be loaded, tried in a process of its own.

A library that is missing or of another release shows only then, in words that name neither. This
process never loads torch.
"""

import subprocess
from collections.abc import Sequence

from autotune.base.interpreter import PYTHON
from autotune.launch import worker_environment
from autotune.protocol.exit_codes import exit_text

SECONDS = 30.0
"""Loading takes two to five seconds. It takes longer, and nothing is wrong, where antivirus reads
the files for the first time or other programs are at work."""

LOAD = (*PYTHON, "-c", "import torch")


class StillLoading(Exception):
    """It is not loaded after so many seconds, and nothing says that it will not be."""


def import_torch(command: Sequence[str] = LOAD, seconds: float = SECONDS) -> str:
    """Why torch does not load, in one line; empty where it does.

    Raises:
        StillLoading: that.
    """
    try:
        done = subprocess.run(
            list(command),
            env=worker_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StillLoading(f"{seconds:g} s") from None
    except OSError as error:
        return f"no process can be started ({error.strerror or error})"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else exit_text(done.returncode, "the process that loads it")
