"""What stays on the disk of a training, what it goes on from, and what it refuses to go on from."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from autotune.base.disk import Writes, folder_bytes, needed_bytes, sizes_of
from autotune.base.manifest import discard, entries_of, verified
from autotune.launch import SubprocessRunner
from autotune.protocol import events
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.save_pace import SavePace
from autotune.worker.train import loop
from autotune.worker.train.checkpoint import retain
from tests.worker.toys import (
    Tight,
    chat_file,
    cpu,
    losses,
    of_kind,
    plan_of,
    save_toy,
    train_job,
    work,
)

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("forked_workers")]

FRACTIONS = (0.25, 0.5, 0.75, 1.0)  # steps 2, 4, 6, 8


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("toy")
    return save_toy(folder / "model"), chat_file(folder / "chat.jsonl")


@pytest.fixture(scope="module")
def trained(
    toy: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[WorkerEvent], int]:
    """A training that saved after every step: its checkpoints, its events, its largest size."""
    folder = tmp_path_factory.mktemp("trained")
    out = folder / "checkpoints"
    emitted: list[WorkerEvent] = []
    most = [0]

    def on_event(event: WorkerEvent) -> None:
        emitted.append(event)
        most[0] = max(most[0], size_of(out))

    plan = plan_of(*toy, checkpoint_fractions=FRACTIONS)
    ending = SubprocessRunner().run(train_job(plan, out), folder, on_event, silence_seconds=120)
    assert ending.failure is None
    return out, emitted, most[0]


def size_of(folder: Path) -> int:
    """The size of a folder that a worker is writing to."""
    while True:
        try:
            return folder_bytes(folder)
        except FileNotFoundError:
            continue


def copied(out: Path, to: Path) -> Path:
    """The checkpoints as they were after step 7."""
    shutil.copytree(out, to / "checkpoints")
    shutil.rmtree(to / "checkpoints" / "step-000008")
    return to / "checkpoints"


def resumable(out: Path) -> list[str]:
    return sorted(path.parent.name for path in out.glob("step-*/optimizer.safetensors"))


def test_scored_checkpoints_keep_their_weights_and_the_two_newest_their_optimizers(
    trained: tuple[Path, list[WorkerEvent], int],
) -> None:
    out, emitted, _ = trained
    assert sorted(path.name for path in out.iterdir()) == [
        *("step-000002", "step-000004", "step-000006", "step-000007", "step-000008")
    ]
    assert resumable(out) == ["step-000007", "step-000008"]
    assert all(verified(path) for path in out.iterdir())
    told = [e.checkpoint for e in of_kind(emitted, events.CheckpointSaved) if e.scored]
    assert all((Path(c.folder) / "model.safetensors").exists() for c in told)


def test_a_training_takes_no_more_of_the_disk_than_was_planned(
    toy: tuple[Path, Path], trained: tuple[Path, list[WorkerEvent], int]
) -> None:
    sizes = sizes_of(toy[0])
    assert sizes is not None
    out, _, most = trained
    whole = folder_bytes(out / "step-000008")
    assert whole == pytest.approx(3 * sizes.weights + sizes.rest, rel=0.02)
    writes = Writes(trials=1, scored=len(FRACTIONS), averaged=False, answer_bytes=0)
    planned = needed_bytes(sizes, writes) - needed_bytes(
        type(sizes)(0, 0), writes
    )  # without the record
    # The plan also holds the second half of what a save demands, and a copy of the best.
    assert most <= planned - whole - sizes.weights <= 1.7 * most


def cut_off(where: Path) -> None:
    path = where / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def damage_byte(where: Path) -> None:
    path = where / "optimizer.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut_off, damage_byte])
def test_a_damaged_newest_checkpoint_is_reported_and_the_second_newest_gone_on_from(
    toy: tuple[Path, Path],
    trained: tuple[Path, list[WorkerEvent], int],
    tmp_path: Path,
    damage: Any,
) -> None:
    out = tmp_path / "checkpoints"
    shutil.copytree(trained[0], out)
    final = (out / "step-000008" / "model.safetensors").read_bytes()
    damage(out / "step-000008")
    emitted, ending = work(train_job(plan_of(*toy, checkpoint_fractions=FRACTIONS), out), tmp_path)
    assert ending.failure is None
    (resumed,) = of_kind(emitted, events.Resumed)
    assert (resumed.step, resumed.torn) == (7, ("step-000008",))
    assert list(losses(emitted)) == [8]
    assert (out / "step-000008" / "model.safetensors").read_bytes() == final
    assert resumable(out) == ["step-000007", "step-000008"]


def test_another_learning_rate_is_refused_and_what_is_there_is_left_alone(
    toy: tuple[Path, Path], trained: tuple[Path, list[WorkerEvent], int], tmp_path: Path
) -> None:
    out = copied(trained[0], tmp_path)
    before = sorted((p.name, folder_bytes(p)) for p in out.iterdir())
    plan = plan_of(*toy, checkpoint_fractions=FRACTIONS, learning_rate=4e-3)
    emitted, ending = work(train_job(plan, out), tmp_path)
    assert ending.failure is Failure.BAD_JOB
    assert "saved by a training with other settings" in ending.reason
    assert "\n" not in ending.reason
    assert losses(emitted) == {}
    assert sorted((p.name, folder_bytes(p)) for p in out.iterdir()) == before


def test_another_number_of_averaged_checkpoints_is_the_same_training(
    toy: tuple[Path, Path], trained: tuple[Path, list[WorkerEvent], int], tmp_path: Path
) -> None:
    out = copied(trained[0], tmp_path)
    plan = plan_of(*toy, checkpoint_fractions=FRACTIONS, average_checkpoints=3)
    emitted, ending = work(train_job(plan, out), tmp_path)
    assert ending.failure is None
    assert list(losses(emitted)) == [8]


@pytest.mark.skipif(sys.platform == "win32", reason="takes the place of the disk in a worker")
def test_a_disk_that_fills_up_between_two_saves_stops_the_training_which_then_goes_on(
    toy: tuple[Path, Path], trained: tuple[Path, list[WorkerEvent], int], tmp_path: Path
) -> None:
    out = tmp_path / "checkpoints"
    job = train_job(plan_of(*toy, checkpoint_fractions=FRACTIONS), out)
    filling = (
        "import collections, itertools, runpy, shutil, sys;"
        " usage = collections.namedtuple('usage', 'total used free');"
        " left = itertools.chain([10**9] * 3, itertools.repeat(10**6));"
        " shutil.disk_usage = lambda path: usage(10**9, 0, next(left));"
        " sys.argv = ['worker', *sys.argv[1:]];"
        " runpy.run_module('autotune.worker', run_name='__main__')"
    )
    emitted: list[WorkerEvent] = []
    ending = SubprocessRunner((sys.executable, "-c", filling)).run(
        job, tmp_path, emitted.append, silence_seconds=120
    )
    assert ending.failed is not None
    assert ending.failed.fault is Failure.DISK
    assert "2 times that must be free and 1 MiB is" in ending.reason
    assert list(losses(emitted)) == [1, 2, 3, 4]
    assert sorted(path.name for path in out.iterdir()) == ["step-000002", "step-000003"]
    assert all(verified(path) for path in out.iterdir())
    emitted, ending = work(job, tmp_path)
    assert ending.failure is None
    assert list(losses(emitted)) == [4, 5, 6, 7, 8]
    final = Path("step-000008") / "model.safetensors"
    assert (out / final).read_bytes() == (trained[0] / final).read_bytes()


def test_a_removal_that_was_cut_short_is_finished_and_is_no_damage(
    toy: tuple[Path, Path], trained: tuple[Path, list[WorkerEvent], int], tmp_path: Path
) -> None:
    out = copied(trained[0], tmp_path)
    half = out / ".gone-step-000005"
    half.mkdir()
    (half / "config.json").write_text("{}", encoding="utf-8")
    plan = plan_of(*toy, checkpoint_fractions=FRACTIONS)
    emitted, ending = work(train_job(plan, out), tmp_path)
    assert ending.failure is None
    (resumed,) = of_kind(emitted, events.Resumed)
    assert (resumed.step, resumed.torn) == (7, ())
    assert not list(out.glob(".*"))


def test_what_is_older_than_the_two_newest_and_not_scored_goes(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        folder = tmp_path / f"step-{step:06d}"
        folder.mkdir()
        (folder / "manifest.json").write_text('{"optimizer.safetensors": {}}', encoding="utf-8")
    (tmp_path / "step-000005").mkdir()  # to be scored only, and so none to resume from
    retain(tmp_path, {2, 5})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("step-000002", "step-000003", "step-000004", "step-000005")
    ]
    assert entries_of(tmp_path / "step-000002") == {}
    discard(tmp_path / "step-000009")  # nothing there, nothing to do


def test_what_has_no_time_for_an_optimizer_saves_weights_to_score_and_leaves_them(
    toy: tuple[Path, Path],
    trained: tuple[Path, list[WorkerEvent], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = plan_of(*toy, checkpoint_fractions=FRACTIONS, saving_share=1e-9)
    out = tmp_path / "checkpoints"
    _, ending = work(train_job(plan, out), tmp_path)
    assert ending.failure is None
    assert sorted(path.name for path in out.iterdir()) == [
        *("step-000002", "step-000004", "step-000006", "step-000008")
    ]
    assert resumable(out) == []
    assert all(verified(path) for path in out.iterdir())
    final = Path("step-000008") / "model.safetensors"
    assert (out / final).read_bytes() == (trained[0] / final).read_bytes()
    # Killed before its end was on record it begins again, and what may have its score stays.
    shutil.rmtree(out / "step-000008")
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*/*")}
    counted = []

    class Counted(SavePace):
        def saved(self, began: float, now: float, *, resumable: bool) -> None:
            counted.append(resumable)

    monkeypatch.setattr(loop, "SavePace", Counted)
    patient = plan_of(*toy, checkpoint_fractions=FRACTIONS, resume_every_seconds=1e9)
    pipe = Tight()
    loop.train(train_job(patient, out), cpu(), pipe)
    assert list(losses(pipe.emitted)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [e.checkpoint.step for e in of_kind(pipe.emitted, events.CheckpointSaved)] == [
        2,
        4,
        6,
        8,
    ]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert counted == [False, False, False, True]  # what stays is none to resume from
    assert resumable(out) == ["step-000008"]
    assert (out / final).read_bytes() == (trained[0] / final).read_bytes()
