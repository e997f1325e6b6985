"""The check job: whether torch can compute on a card, and what it says of it.

Loads torch and nothing else, because it runs before anything is known to work.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from autotune.base.files import write_text_atomic
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.job import CheckJob
from autotune.worker.channel import Pipe

SIDE = 64
"""Rows and columns of the product that is computed: the smallest that uses cuBLAS' own kernels."""

FUSED = [
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
]
"""Every kernel of attention but plain mathematics."""


def check(job: CheckJob, pipe: Pipe) -> None:
    """Look at the card and write the answer; a card that cannot be used is an answer as well."""
    pipe.enter("looking at the card")
    answer = look(job.device.index)
    write_text_atomic(Path(job.out), answer.model_dump_json(indent=1))


def look(index: int) -> CardAnswer:
    """What torch says of the card with this index; nothing that goes wrong there is raised.

    `torch.cuda.is_available` would be kinder and say less: it turns every reason into False.
    """
    found: dict[str, object] = {"torch": torch.__version__, "cuda": torch.version.cuda}
    try:
        start: Any = torch.cuda.init
        start()
        device = torch.device("cuda", index)
        found["arch_list"] = tuple(torch.cuda.get_arch_list())
        found["name"] = torch.cuda.get_device_name(device)
        found["capability"] = torch.cuda.get_device_capability(device)
        found["free_bytes"], found["total_bytes"] = torch.cuda.mem_get_info(device)
        multiply(device)
    except Exception as error:  # whatever it is, it is why the card cannot be used
        found["problem"] = one_line(error)
    else:
        found["fused"] = attends_fused(device)
    return CardAnswer.model_validate(found)


def multiply(device: torch.device) -> None:
    """One product of matrices in 16 and in 32 bits, as a training step has them.

    Raises:
        RuntimeError: the card did not do it, or did it wrongly.
    """
    for dtype in (torch.float32, torch.float16):
        ones = torch.ones((SIDE, SIDE), device=device, dtype=dtype)
        total = float((ones @ ones).sum(dtype=torch.float32))
        if total != SIDE**3:
            raise RuntimeError(f"a product of ones gives {total}, must be {SIDE**3}")


def attends_fused(device: torch.device) -> bool:
    """Whether a kernel without tables of T x T computes attention here, forward and backward.

    Asked of the plainest call there is; whether a model's own calls are served, the first trial
    tells. What a prediction is made for before it depends on this.
    """
    shape = (1, 1, SIDE, SIDE)
    states = torch.ones(shape, device=device, dtype=torch.float16, requires_grad=True)
    try:
        with warnings.catch_warnings(), sdpa_kernel(FUSED):
            warnings.simplefilter("ignore")  # torch says at length why it cannot
            out = functional.scaled_dot_product_attention(states, states, states, is_causal=True)
            (gradient,) = torch.autograd.grad(out.sum(), states)
        # Reading a number waits for the card: what fails there does so here.
        return bool(torch.isfinite(gradient.sum()))
    except RuntimeError:
        return False


def one_line(error: Exception) -> str:
    """The first line of an error's text, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
