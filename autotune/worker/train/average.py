"""The average job: the mean of some checkpoints' weights, tensor by tensor, as one more checkpoint.

Late checkpoints of one training lie around the same minimum, and their mean is often nearer to it
than any of them (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima").
"""

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from autotune.base.errors import BadInput
from autotune.base.manifest import MANIFEST, OPTIMIZER, STATE, entries_of, sweep, verified
from autotune.protocol import events
from autotune.protocol.job import AverageJob
from autotune.worker.channel import Pipe
from autotune.worker.train.checkpoint import demand_room, tensor_bytes, weight_files, whole_folder

SOURCES = "average.json"
"""Which checkpoints a mean is of, by the sha256 of their weights."""


def average(job: AverageJob, pipe: Pipe) -> None:
    """Make the mean, unless it is there already, and report it.

    All but the weights (configuration, tokenizer, template) is the last checkpoint's.

    Raises:
        BadInput: one of the checkpoints is not whole.
        DiskFull: there is no room for one more.
    """
    out = Path(job.out) / job.checkpoint.name
    folders = [Path(job.out) / each.name for each in job.of]
    pipe.enter("averaging")
    sweep(out.parent)
    for folder in folders:
        if not verified(folder):
            raise BadInput(f"{folder}: is not a whole checkpoint, so no average is made with it")
    sources = json.dumps({folder.name: digests(folder) for folder in folders}, indent=1)
    if not is_there(out, sources):
        with whole_folder(out) as work:
            for path in folders[-1].iterdir():
                if path.suffix != ".safetensors" and path.name not in (MANIFEST, STATE):
                    shutil.copyfile(path, work / path.name)
            (work / SOURCES).write_text(sources, encoding="utf-8")
            for path in weight_files(folders[-1]):
                mean, metadata = mean_of([folder / path.name for folder in folders])
                demand_room(out.parent, tensor_bytes(mean.values()), work)
                save_file(mean, work / path.name, metadata=metadata)
    pipe.emit(events.CheckpointSaved(checkpoint=job.checkpoint, scored=True))


def is_there(out: Path, sources: str) -> bool:
    """Whether the very same mean was made before, and is whole."""
    return verified(out) and (out / SOURCES).read_text(encoding="utf-8") == sources


def digests(folder: Path) -> dict[str, Any]:
    """File -> size and sha256 of a folder's weights, as its manifest has them."""
    return {
        name: entry
        for name, entry in (entries_of(folder) or {}).items()
        if name.endswith(".safetensors") and name != OPTIMIZER
    }


def mean_of(paths: Sequence[Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The mean of each tensor over these files, and the metadata of the last file.

    Summed in float64 and rounded once, to the type in the file: the order of the files and their
    number leave no trace. What is no floating point number is the last file's.
    """
    mean: dict[str, torch.Tensor] = {}
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(path, framework="pt")) for path in paths]
        last = files[-1]
        for name in last.keys():  # noqa: SIM118 (safe_open is not a mapping)
            newest = last.get_tensor(name)
            if newest.is_floating_point():
                total = torch.zeros_like(newest, dtype=torch.float64)
                for file in files:
                    total += file.get_tensor(name)
                mean[name] = (total / len(files)).to(newest.dtype)
            else:
                mean[name] = newest.clone()
        return mean, last.metadata()
