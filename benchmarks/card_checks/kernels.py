"""Which attention kernels run here, forward and backward, and whether they agree with `math`.

The shapes are the model's own: its heads, its head size, keys and values expanded to the queries'
heads as every path of the tool hands them over.
"""

import json
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.card_checks.asked import Answer, Ask, Figures

BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "memory_efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}
TOLERANCE = 2e-2
"""Of the largest value and of the largest gradient: bf16 has eight bits, and a kernel rounds on its
way, at weights and at sums."""


Pair = tuple[torch.Tensor, torch.Tensor]
"""Values and gradient."""


def check(ask: Ask, figures: Figures) -> Answer:
    """Passed where a kernel that is not `math` serves the card's 16-bit arithmetic and agrees."""
    device = torch.device("cuda", ask.card_index) if ask.on_card else torch.device("cpu")
    heads, size = shape_of(Path(ask.model))
    tokens = 64 if ask.rehearse else 1024
    figures["shape"] = {"heads": heads, "head_size": size, "tokens": tokens}
    dtypes = [torch.float16, torch.bfloat16, torch.float32]
    if ask.on_card and torch.cuda.get_device_capability(device) < (8, 0):
        dtypes.remove(torch.bfloat16)
    found: dict[str, dict[str, Any]] = {}
    for dtype in dtypes:
        name = str(dtype).removeprefix("torch.")
        expected = attended("math", device, dtype, heads, size, tokens, torch.float32)["found"]
        found[name] = {}
        for kernel in BACKENDS:
            found[name][kernel] = tried(kernel, device, dtype, heads, size, tokens, expected)
            figures["kernels"] = found
    figures["varlen"] = has_varlen()
    figures["worker"] = worker_says(ask)
    good = {
        name: [k for k, tree in kernels.items() if k != "math" and tree.get("agrees")]
        for name, kernels in found.items()
    }
    line = ", ".join(f"{name}: {' '.join(found) or 'math only'}" for name, found in good.items())
    if not ask.on_card:
        return Answer(None, line)
    needed = [name for name in good if name != "float32"]
    return Answer(all(good[name] for name in needed), line)


def shape_of(folder: Path) -> tuple[int, int]:
    """Query heads and head size, by the model's config."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = int(config["num_attention_heads"])
    return heads, int(config.get("head_dim") or config["hidden_size"] // heads)


def tried(
    kernel: str,
    device: torch.device,
    dtype: torch.dtype,
    heads: int,
    size: int,
    tokens: int,
    expected: Pair,
) -> dict[str, Any]:
    """Whether a kernel runs, how fast, and how far its values and gradients are off."""
    try:
        found = attended(kernel, device, dtype, heads, size, tokens)
    except RuntimeError as error:
        return {"runs": False, "why": str(error).splitlines()[0][:200]}
    off = max(
        float((one - other).abs().max() / other.abs().max())
        for one, other in zip(found["found"], expected, strict=True)
    )
    return {
        "runs": True,
        "agrees": off <= TOLERANCE,
        "largest_difference": off,
        "milliseconds": found["milliseconds"],
    }


def attended(
    kernel: str,
    device: torch.device,
    dtype: torch.dtype,
    heads: int,
    size: int,
    tokens: int,
    computed: torch.dtype | None = None,
) -> dict[str, Any]:
    """Causal attention of inputs in `dtype` and its gradient under one kernel, brought to the CPU.

    `computed` computes the same inputs in another dtype. The milliseconds are the second call's.
    """
    draw = torch.Generator().manual_seed(0)
    parts = [
        torch.randn(1, heads, tokens, size, generator=draw)
        .to(device, dtype)
        .to(computed or dtype)
        .requires_grad_()
        for _ in range(3)
    ]
    with sdpa_kernel([BACKENDS[kernel]]):
        for _ in range(2):
            synchronize(device)
            begin = time.perf_counter()
            out = torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True)
            # A sum: the gradient of a mean would be below what fp16 can hold.
            (gradient,) = torch.autograd.grad(out.float().sum(), parts[:1])
            synchronize(device)
            seconds = time.perf_counter() - begin
    found = (out.detach().float().cpu(), gradient.float().cpu())
    return {"found": found, "milliseconds": round(1e3 * seconds, 3)}


def synchronize(device: torch.device) -> None:
    """Wait for a card."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def has_varlen() -> bool:
    """Whether this torch has attention over rows of several lengths."""
    try:
        from torch.nn.attention import varlen  # noqa: F401
    except ImportError:
        return False
    return True


def worker_says(ask: Ask) -> dict[str, Any]:
    """What a worker of the tool reports of its device when it is ready."""
    from autotune.protocol import events
    from autotune.protocol.choices import Precision
    from benchmarks.card_checks.jobs import device_of, of_kind
    from benchmarks.card_checks.trials import trial

    precision = Precision.FP16 if ask.on_card else Precision.FP32
    said, ending, _ = trial(ask, ask.folder / "kernels", device_of(ask, precision), 1, 128)
    ready = of_kind(said, events.Ready)
    return {"ended": ending.words, **(ready[0].model_dump(exclude={"pid"}) if ready else {})}
