"""Whether what is printed can be taken back, which a cell of a notebook never can.

A notebook gives the command of a cell a terminal (`!command`, in Jupyter and in Colab) or says that
there is one (FORCE_COLOR), and keeps every frame that is drawn over: a run of a minute left 2 MB in
its cell, which are saved with the notebook.
"""

from collections.abc import Mapping
from typing import TextIO

PARENT = "JPY_PARENT_PID"
"""Jupyter gives it to the kernels that it starts, and a kernel to the commands of its cells."""

KERNEL_SETS = {"TERM": "xterm-color", "PAGER": "cat", "GIT_PAGER": "cat"}
"""What ipykernel sets for them, whoever started it (`init_environment` of its zmqshell.py)."""

CHOICE = "TTY_INTERACTIVE"
"""rich's own variable, by which a person decides: 1 where frames can be drawn over, 0 where not."""


def in_notebook(environ: Mapping[str, str]) -> bool:
    """Whether this command was started by a cell of a notebook."""
    return PARENT in environ or KERNEL_SETS.items() <= environ.items()


def interactive(stream: TextIO, environ: Mapping[str, str]) -> bool | None:
    """What a console on this stream is told: False where nothing can be drawn over, else None.

    None leaves it to rich, which looks at the stream, at TERM and at what the person chose.
    """
    if CHOICE in environ:
        return None
    return None if stream.isatty() and not in_notebook(environ) else False
