"""The mean of checkpoints: the right numbers, a checkpoint like any other, made once."""

import io
import shutil
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from autotune.base.errors import BadInput
from autotune.base.manifest import drop_optimizer, verified
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.choices import Supervision
from autotune.protocol.events import WORKER_EVENT
from autotune.protocol.job import AverageJob
from autotune.protocol.results import Checkpoint
from autotune.worker.channel import Pipe
from autotune.worker.model import adopt_template, load
from autotune.worker.train.average import average
from autotune.worker.train.checkpoint import DiskFull, save
from tests.worker.toys import device, loaded_toy, of_kind, some_rows, stepper_of, work

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("forked_workers")]

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of steps 1, 2 and 3 of a training, the last one whole."""
    loaded = loaded_toy(tmp_path_factory.mktemp("toy"))
    adopt_template(loaded, Supervision.CONTENT)
    stepper = stepper_of(loaded, learning_rate=1e-2, warmup_steps=0)
    root = tmp_path_factory.mktemp("checkpoints")
    for step in (1, 2, 3):
        stepper.step(some_rows([20, 33, 9], seed=step), step)
        save(root, loaded, stepper, step, "0123456789abcdef")
    for step in (1, 2):
        drop_optimizer(root / f"step-{step:06d}")
    return root


@pytest.fixture
def own(root: Path, tmp_path: Path) -> Path:
    """A copy of them to change."""
    return shutil.copytree(root, tmp_path / "checkpoints")


def job_of(root: Path, *steps: int) -> AverageJob:
    of = tuple(
        Checkpoint(step=s, progress=s / 3, folder=str(root / f"step-{s:06d}")) for s in steps
    )
    mean = Checkpoint(
        step=3, progress=1.0, folder=str(root / f"average-{len(of)}"), averaged=len(of)
    )
    return AverageJob(device=device(), of=of, checkpoint=mean, out=str(root))


def averaged(job: AverageJob) -> list[events.CheckpointSaved]:
    """Do the job in this process; the checkpoints that it told of."""
    stream = io.BytesIO()
    average(job, Pipe(stream))
    said = [WORKER_EVENT.validate_json(line) for line in stream.getvalue().splitlines()]
    return of_kind(said, events.CheckpointSaved)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_every_weight_is_the_mean_of_the_checkpoints_weights(own: Path) -> None:
    (told,) = averaged(job_of(own, 1, 2, 3))
    assert told.scored
    assert (told.checkpoint.step, told.checkpoint.averaged) == (3, 3)
    parts = [weights(own / f"step-{step:06d}") for step in (1, 2, 3)]
    mean = weights(own / "average-3")
    assert mean.keys() == parts[0].keys()
    for name, tensor in mean.items():
        exact = torch.stack([p[name] for p in parts]).double().mean(0)
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, exact.float()), name
    assert not torch.equal(mean["model.norm.weight"], parts[2]["model.norm.weight"])


def test_the_order_of_the_checkpoints_leaves_no_trace_in_their_mean(own: Path) -> None:
    averaged(job_of(own, 1, 3))
    one = weights(own / "average-2")
    averaged(job_of(own, 3, 1))
    for name, tensor in weights(own / "average-2").items():
        assert torch.equal(tensor, one[name])


def test_a_mean_is_a_whole_checkpoint_that_transformers_loads(own: Path) -> None:
    averaged(job_of(own, 2, 3))
    folder = own / "average-2"
    assert verified(folder)
    assert not list(folder.glob("optimizer*"))
    assert not (folder / "trainer_state.json").exists()
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    assert torch.equal(model.model.norm.weight, weights(folder)["model.norm.weight"])
    last, mean = (
        load(own / name, torch.device("cpu"), Supervision.CONTENT)
        for name in ("step-000003", "average-2")
    )
    assert mean.stop_ids == last.stop_ids
    assert mean.prompt_ids("hello") == last.prompt_ids("hello")
    assert mean.own_template
    assert [p.name for p in own.iterdir() if p.name.startswith(".")] == []


def test_a_mean_that_is_there_is_reported_and_not_made_again(own: Path) -> None:
    averaged(job_of(own, 2, 3))
    path = own / "average-2" / "model.safetensors"
    before = path.stat().st_mtime_ns
    assert len(averaged(job_of(own, 2, 3))) == 1
    assert path.stat().st_mtime_ns == before


def test_a_mean_of_others_or_a_truncated_one_is_made_again(own: Path) -> None:
    averaged(job_of(own, 1, 2))
    averaged(job_of(own, 2, 3))
    right = (own / "average-2" / "model.safetensors").read_bytes()
    parts = [weights(own / f"step-{step:06d}")["model.embed_tokens.weight"] for step in (2, 3)]
    found = weights(own / "average-2")["model.embed_tokens.weight"]
    assert torch.equal(found, torch.stack(parts).double().mean(0).float())
    (own / "average-2" / "model.safetensors").write_bytes(right[:-10])
    averaged(job_of(own, 2, 3))
    assert (own / "average-2" / "model.safetensors").read_bytes() == right


def test_a_checkpoint_that_is_not_whole_is_not_averaged(own: Path) -> None:
    path = own / "step-000002" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadInput, match=r"step-000002: is not a whole checkpoint"):
        averaged(job_of(own, 2, 3))
    assert not (own / "average-2").exists()


def test_a_mean_wants_room_on_the_disk_as_any_checkpoint(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    with pytest.raises(DiskFull):
        averaged(job_of(own, 2, 3))
    assert sorted(p.name for p in own.iterdir()) == [f"step-{s:06d}" for s in (1, 2, 3)]


def test_a_worker_that_is_killed_while_averaging_leaves_the_job_to_the_next_one(
    own: Path, tmp_path: Path
) -> None:
    worker: list[int] = []

    def on_event(event: object) -> None:
        if isinstance(event, events.Ready):
            worker.append(event.pid)
        if isinstance(event, events.Phase) and event.name == "averaging":
            psutil.Process(worker[0]).kill()

    job = job_of(own, 1, 2, 3)
    ending = SubprocessRunner().run(job, tmp_path / "work", on_event, silence_seconds=120)
    assert ending.died
    (own / ".average-3.tmp").mkdir(exist_ok=True)
    emitted, ending = work(job, tmp_path / "work")
    assert ending.failure is None
    assert [e.checkpoint for e in of_kind(emitted, events.CheckpointSaved)] == [job.checkpoint]
    assert verified(own / "average-3")
    assert not list(own.glob(".*"))
