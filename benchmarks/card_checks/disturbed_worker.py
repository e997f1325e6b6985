"""A worker of the tool in which one thing is put wrong: `MODE STEP JOB.json`.

`tighten`: after optimizer step STEP the card's allocator may take half as much beyond what tensors
hold as the steps so far needed, so that the next step runs out of memory for real. On a CPU, which
has no such limit, the error is raised instead.
`scale`: the loss scale of fp16 begins at 2^STEP, where gradients overflow for real.
"""

import runpy
import sys
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

ROOM_LEFT = 0.5


def tighten(step: int) -> None:
    """Lower the limit after this step."""
    updates = [0]

    def after(*_: Any) -> None:
        updates[0] += 1
        if updates[0] != step:
            return
        if torch.cuda.is_initialized():
            lower_the_limit()
        else:
            raise_once()

    register_optimizer_step_post_hook(after)


def lower_the_limit() -> None:
    """Of what steps need beside the tensors that stay, leave half."""
    device = torch.cuda.current_device()
    held = torch.cuda.memory_allocated(device)
    needed = torch.cuda.max_memory_allocated(device) - held
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((held + ROOM_LEFT * needed) / total, device)


def raise_once() -> None:
    """What torch raises when memory is out, in the next layer that is run."""

    def refuse(*_: Any) -> None:
        handle.remove()
        raise torch.OutOfMemoryError("CUDA out of memory. Raised by a check in place of a card")

    handle = register_module_forward_pre_hook(refuse)


def scale(power: int) -> None:
    """Begin with this loss scale."""
    scaler: Any = torch.amp.GradScaler
    plain = scaler.__init__

    def begin(self: Any, *arguments: Any, **options: Any) -> None:
        plain(self, *arguments, **({"init_scale": 2.0**power} | options))

    scaler.__init__ = begin


if __name__ == "__main__":
    {"tighten": tighten, "scale": scale}[sys.argv[1]](int(sys.argv[2]))
    sys.argv = ["autotune.worker", *sys.argv[3:]]
    runpy.run_module("autotune.worker", run_name="__main__")
