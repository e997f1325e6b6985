"""The environment of a worker: ours without secrets, offline, UTF-8."""

import os
import sys

from autotune.job import Job, TrainJob, TrialJob

_SECRET_MARKS = ("TOKEN", "SECRET", "PASSW", "_KEY", "CREDENTIAL")


MMAP_THRESHOLD_BYTES = 128 * 1024
"""From this size up glibc gives a block pages of its own; its default, which it would raise as it
goes, up to 32 MiB."""


def worker_environment(job: Job | None = None) -> dict[str, str]:
    """The environment of a worker: ours without secrets, offline, UTF-8.

    A worker reads local folders only, so it has no use for a token and none can reach its log.
    What is measured on a CPU is measured with an allocator that gives back what is freed.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not any(mark in name.upper() for mark in _SECRET_MARKS)
    }
    # PYTORCH_CUDA_ALLOC_CONF and PYTORCH_ALLOC_CONF stay as they are, unset where they are not set.
    # Expandable segments would spare memory that lies in pieces, but nothing tells beforehand
    # whether they work: Windows has none, under WSL, on virtual cards and on some Jetsons the
    # first allocation fails (pytorch#192330, unsloth#1446), and torch 2.9 reads the older variable
    # only (pytorch#183387). A worker that failed so would look like one without memory. What a
    # person sets does reach the worker, and the cap holds with it: torch checks its fraction
    # before it maps a segment, so it is passed by less than the 20 MiB of one.
    # Threads that wait for each other by spinning need a core each: beside any other program, a
    # step of small operations took 30 times as long. One's own setting is left alone.
    return (
        {"OMP_WAIT_POLICY": "PASSIVE"}
        | (exact_allocator() if job is not None and on_cpu(job) else {})
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


def on_cpu(job: Job) -> bool:
    """Whether a training step runs in the computer's own memory: there its peak is what counts."""
    return isinstance(job, TrialJob | TrainJob) and job.device.kind == "cpu"


def exact_allocator() -> dict[str, str]:
    """Glibc told to keep large blocks apart, where there is glibc.

    As it comes it raises the size above which a block has pages of its own, so tensors end up in a
    heap that lies in pieces, differently each time: the same trial of the 135M model peaked
    anywhere from 3.42 to 3.52 GiB. With a fixed size peaks agree to a MiB and are lower by 8 %,
    which costs up to a tenth of the time of a step (docs/LOG.md).
    """
    if sys.platform != "linux":
        return {}
    return {"MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES)}
