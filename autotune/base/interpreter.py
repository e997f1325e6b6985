"""How this program starts Python again: workers, pip, its own command line for other cards."""

import os
import sys
from pathlib import Path

PYTHON = (sys.executable, "-P")
"""Before `-m` or `-c`. Without `-P` Python looks for modules in the current folder first, where a
person's `random.py` or `datasets.py` would be loaded in place of the one that is meant
(https://docs.python.org/3/using/cmdline.html#cmdoption-P)."""


def share_checkout() -> None:
    """Let processes of this one find this package where only the current folder has it.

    That is where `python -m autotune` is called in a checkout that is not installed.
    """
    root = Path(__file__).resolve().parents[2]
    if sys.flags.safe_path or not sys.path[0] or Path(sys.path[0]).resolve() != root:
        return
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *([others] if others else [])])
