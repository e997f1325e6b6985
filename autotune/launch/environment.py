"""The environment of a worker: ours without secrets, offline, UTF-8."""

import os
from collections.abc import Mapping

_DROPPED = {
    "PYTORCH_NO_CUDA_MEMORY_CACHING": (
        "without its cache torch's allocator counts nothing as reserved and keeps no cap, so every"
        " trial would fit"
    ),
}
"""Settings of torch that a worker must not have, and why. Any value switches them on, even 0."""

_OF_A_LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
"""By these a worker takes itself for one of several that share a training. Here it is alone, though
the command itself may have been started by torchrun or by a cluster that sets them."""

_SECRET_MARKS = ("TOKEN", "SECRET", "PASSW", "_KEY", "CREDENTIAL")

KEPT_PRIMITIVES = 32
"""What oneDNN may keep of the code and tables that it makes for each product of a new shape.

That is 0.6 MiB a product as measured in fp32, and by default it keeps 1024. A
micro-batch of a Llama asks for 18 to 24 of them, however many layers it has, one after another and
in each layer again: with 8 they were made again in every layer, with 24 once a micro-batch. 32
leaves room for layers with more kinds of products. See docs/LOG.md.
"""


def worker_environment() -> dict[str, str]:
    """The environment of a worker: ours without secrets, offline, UTF-8.

    A worker reads local folders only, so it has no use for a token and none can reach its log.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not any(mark in name.upper() for mark in _SECRET_MARKS)
        and name not in _DROPPED
        and name not in _OF_A_LAUNCHER
    }
    # PYTORCH_CUDA_ALLOC_CONF and PYTORCH_ALLOC_CONF stay as they are, unset where they are not set.
    # Expandable segments would spare memory that lies in pieces, but nothing shows beforehand
    # whether they work: Windows has none, under WSL, on virtual cards and on some Jetsons the
    # first allocation fails (pytorch#192330, unsloth#1446), and torch 2.9 reads the older variable
    # only (pytorch#183387). A worker that failed so would look like one without memory. What a
    # person sets does reach the worker, and the cap holds with it: torch checks its fraction
    # before it maps a segment, so it is passed by less than the 20 MiB of one.
    # torch prefers cuDNN's attention on cards of compute capability 9 and 10, where it makes a plan
    # for every new shape (`check_prefer_cudnn_attention` in its cuda/sdp_utils.cpp reads the
    # variable); shapes of micro-batches vary.
    # Threads that wait for each other by spinning need a core each: beside any other program, a
    # step of small operations took 30 times as long. One's own setting is left alone.
    return (
        {"OMP_WAIT_POLICY": "PASSIVE", "TORCH_CUDNN_SDPA_DEPRIORITIZED": "1"}
        | _kept_primitives(kept)
        | kept
        | {
            "PYTHONUTF8": "1",
            "PYTHONUNBUFFERED": "1",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "TRANSFORMERS_VERBOSITY": "error",
            # Cards in the driver's order, which is the order that `--device cuda:N` counts in.
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        }
    )


def dropped_settings(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """A sentence for each setting of the person's environment that workers go without."""
    given = os.environ if environ is None else environ
    return tuple(
        f"{name} is set; workers go without it: {why}"
        for name, why in _DROPPED.items()
        if name in given
    )


def _kept_primitives(kept: Mapping[str, str]) -> dict[str, str]:
    """Bounds for what is kept for each shape of a product on a CPU.

    oneDNN reads its own variable by two names, the first before the second. What it drops, torch's
    layer above it (ideep) may still hold for convolutions and fused layers: those have a cache of
    the same kind.
    """
    bounds = {"LRU_CACHE_CAPACITY": str(KEPT_PRIMITIVES)}
    if "DNNL_PRIMITIVE_CACHE_CAPACITY" not in kept:
        bounds["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = str(KEPT_PRIMITIVES)
    return bounds
