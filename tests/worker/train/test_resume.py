"""Training in a real worker that is killed again and again: the same weights, bit for bit."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from autotune.base.manifest import describe
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import TrainJob
from autotune.protocol.plan import TrainPlan
from autotune.worker.train.loop import BadJob, demand_data
from tests.worker.toys import chat_file, losses, of_kind, plan_of, save_toy, train_job, work

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("forked_workers")]

When = Callable[[WorkerEvent], bool]


class Chain:
    """One training in one folder, killed and started again; what all its workers said."""

    def __init__(self, plan: TrainPlan, folder: Path) -> None:
        self.job = train_job(plan, folder / "checkpoints")
        self.folder = folder
        self.emitted: list[WorkerEvent] = []
        self.left: set[str] = set()
        self.named: set[str] = set()

    def killed(self, when: When, delay: float = 0.0) -> None:
        """Run until `when` says so, then SIGKILL after `delay` seconds; must not end before."""
        worker: list[int] = []

        def on_event(event: WorkerEvent) -> None:
            self.emitted.append(event)
            if isinstance(event, events.Ready):
                worker.append(event.pid)
            if worker and when(event):
                time.sleep(delay)
                psutil.Process(worker.pop()).kill()

        before = len(self.emitted)
        ending = SubprocessRunner().run(self.job, self.folder, on_event, silence_seconds=120)
        assert (ending.died, worker) == (True, [])
        self.check_torn(before)

    def to_the_end(self) -> None:
        before = len(self.emitted)
        emitted, ending = work(self.job, self.folder)
        assert ending.failure is None, ending
        self.emitted += emitted
        self.check_torn(before)

    def check_torn(self, before: int) -> None:
        """This worker named exactly what those before it left unfinished."""
        for event in of_kind(self.emitted[before:], events.Resumed):
            assert set(event.torn) == self.left
            self.named |= self.left
        self.left = {path.name for path in Path(self.job.out).glob(".step-*")}

    @property
    def final(self) -> bytes:
        steps = self.job.plan.total_steps
        return (Path(self.job.out) / f"step-{steps:06d}" / "model.safetensors").read_bytes()


def nth(number: int, kind: Any, name: str = "") -> When:
    """True at the `number`-th event of a kind (a phase of this name), counted in one worker."""
    seen = [0]

    def when(event: WorkerEvent) -> bool:
        if isinstance(event, kind) and (not name or getattr(event, "name", "") == name):
            seen[0] += 1
        return seen[0] >= number

    return when


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("toy")
    return save_toy(folder / "model"), chat_file(folder / "chat.jsonl")


@pytest.fixture(scope="module")
def undisturbed(toy: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Chain:
    chain = Chain(plan_of(*toy), tmp_path_factory.mktemp("undisturbed"))
    chain.to_the_end()
    return chain


def test_an_undisturbed_training_says_what_it_does(
    undisturbed: Chain,
) -> None:
    emitted = undisturbed.emitted
    assert isinstance(emitted[0], events.Ready)
    assert list(losses(emitted)) == [1, 2, 3, 4, 5, 6, 7, 8]
    scored = [e.checkpoint for e in of_kind(emitted, events.CheckpointSaved) if e.scored]
    assert [(c.step, c.progress) for c in scored] == [(4, 0.5), (8, 1.0)]
    (trained,) = of_kind(emitted, events.Trained)
    assert trained.steps == 8
    assert trained.weights_moved > 1e-4
    assert not of_kind(emitted, events.Resumed)


def test_a_training_whose_rows_are_packed_has_the_same_losses(
    toy: tuple[Path, Path], undisturbed: Chain, tmp_path: Path
) -> None:
    packed = Chain(plan_of(*toy, packing=True, micro_batch_tokens=64), tmp_path)
    packed.to_the_end()
    assert losses(packed.emitted).keys() == losses(undisturbed.emitted).keys()
    for step, loss in losses(packed.emitted).items():
        assert loss == pytest.approx(losses(undisturbed.emitted)[step], rel=1e-4)


def test_a_training_killed_six_times_ends_with_the_same_bits(
    toy: tuple[Path, Path], tmp_path: Path, undisturbed: Chain
) -> None:
    chain = Chain(plan_of(*toy), tmp_path)
    chain.killed(nth(1, events.Phase, "saving"))
    chain.killed(nth(2, events.Phase, "optimizer"))
    chain.killed(nth(2, events.Phase, "saving"), delay=0.004)
    chain.killed(nth(1, events.Phase, "backward"))
    chain.killed(nth(2, events.Phase, "saving"), delay=0.02)
    chain.killed(nth(1, events.StepDone))
    chain.to_the_end()
    assert chain.final == undisturbed.final
    assert set(losses(chain.emitted).items()) == set(losses(undisturbed.emitted).items())
    for event in of_kind(chain.emitted, events.StepDone):
        assert event.loss == losses(undisturbed.emitted)[event.step]
    kept = sorted(path.name for path in Path(chain.job.out).iterdir())
    assert kept == ["step-000004", "step-000007", "step-000008"]  # the two newest, and the scored
    assert not (Path(chain.job.out) / "step-000004" / "optimizer.safetensors").exists()


def test_a_finished_training_is_reported_again_and_not_run_again(
    undisturbed: Chain, tmp_path: Path
) -> None:
    before = undisturbed.final
    emitted, ending = work(undisturbed.job, tmp_path)
    assert ending.failure is None
    assert losses(emitted) == {}
    assert [e.checkpoint.step for e in of_kind(emitted, events.CheckpointSaved)] == [4, 8]
    assert of_kind(emitted, events.Trained)[0].steps == 8
    assert undisturbed.final == before


def test_data_that_changed_since_it_was_counted_is_refused(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    job: TrainJob = train_job(plan_of(*toy, conversations=13), tmp_path / "checkpoints")
    _, ending = work(job, tmp_path)
    assert ending.failure is Failure.BAD_JOB
    assert "keeps 12 conversations, the plan says 13" in ending.reason
    assert ending.failed is not None and ending.failed.fault is Failure.BAD_JOB


def test_data_that_changed_while_a_run_went_on_are_not_trained_on(tmp_path: Path) -> None:
    data = chat_file(tmp_path / "chat.jsonl")
    plan = plan_of(tmp_path / "model", tmp_path / "where-it-was.jsonl")
    began = {"data_path": str(data), "data_sha256": describe(data)["sha256"]}
    job = train_job(plan, tmp_path / "out").model_copy(update=began)
    demand_data(job)
    data.write_bytes(data.read_bytes() + b"\n")
    with pytest.raises(
        BadJob, match=r"data .*chat\.jsonl has changed since this run began \(sha256"
    ):
        demand_data(job)


def test_a_training_goes_on_where_its_model_and_its_data_lie_now(tmp_path: Path) -> None:
    data, model = chat_file(tmp_path / "chat.jsonl"), save_toy(tmp_path / "model")
    plan = plan_of(model, data)
    emitted, _ = work(train_job(plan, tmp_path / "out"), tmp_path / "job")
    last = sorted((tmp_path / "out").glob("step-*"))[-1]
    last.rename(tmp_path / "lost")
    moved = {"model_folder": str(model.rename(tmp_path / "new-model")), "data_path": str(data)}
    again, ending = work(
        train_job(plan, tmp_path / "out").model_copy(update=moved), tmp_path / "job"
    )
    assert ending.failure is None
    (resumed,) = of_kind(again, events.Resumed)
    assert resumed.step > 0
    done = {step: loss for step, loss in losses(emitted).items() if step > resumed.step}
    assert losses(again) == done
