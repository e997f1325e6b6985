"""Checkpoints whose bytes changed on the disk are never scored, nor become the best of a run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.base.manifest import drop_optimizer, fault_of, seal
from autotune.protocol import events
from autotune.protocol.job import GenerateJob, Job, TrainJob
from autotune.protocol.plan import Strategy
from autotune.run.answering import RESPONSES
from autotune.run.folder import RunDir
from autotune.study import damage
from tests import setups
from tests.played import Workers
from tests.study.test_cleanup import A, judge, recorded, tuner

MEAN = setups.strategy("A", average_checkpoints=2)


def flip(folder: Path) -> None:
    """Change one byte of the weights, as a disk does; the size stays."""
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def run(folder: Path, workers: Workers, *strategies: Strategy, **passes: int) -> bool:
    scorer = judge(**(passes or {"t0_step_5": 3, "t0_step_6": 2}))
    return tuner(folder, scorer, *(strategies or (A,)), workers=workers).run()


def damaging(name: str, trainings: int) -> Workers:
    """Workers whose first trainings leave a checkpoint that is damaged before it is scored."""
    workers = Workers()

    def train(job: Job, before: int) -> setups.Played | None:
        if not isinstance(job, TrainJob) or before >= trainings:
            return None
        played = workers.train(job)
        flip(Path(job.out) / name)
        return played

    workers.instead = train
    return workers


def scores(folder: Path) -> dict[str, int | None]:
    """Passes by checkpoint; each is scored once."""
    found = recorded(folder, events.Evaluated)
    assert len(found) == len({e.checkpoint.name for e in found})
    return {e.checkpoint.name: e.score.passes if e.score else None for e in found}


def test_a_damaged_last_checkpoint_is_trained_again_from_the_one_before(tmp_path: Path) -> None:
    workers = damaging("step-000006", trainings=1)
    run(tmp_path, workers)
    assert [(e.checkpoint.step, e.again) for e in recorded(tmp_path, events.CheckpointDamaged)] == [
        (6, True)
    ]
    assert scores(tmp_path) == {"step-000005": 3, "step-000006": 2}
    assert len(workers.trainings()) == 2
    assert [e.step for e in recorded(tmp_path, events.Resumed)] == [5]
    asked = [Path(job.model_folder).name for job in workers.seen if isinstance(job, GenerateJob)]
    assert asked == ["model", "step-000005", "step-000006"]


def test_answers_of_a_checkpoint_that_was_damaged_since_are_given_again(tmp_path: Path) -> None:
    workers = damaging("step-000006", trainings=1)
    damaged, found = workers.instead, []
    answers = RunDir(tmp_path).eval_folder("trial-0000-step-000006") / RESPONSES

    def interrupted(job: Job, before: int) -> setups.Played | None:
        if isinstance(job, TrainJob) and not before:
            answers.parent.mkdir(parents=True)
            answers.write_text("{}\n", encoding="utf-8")
        if isinstance(job, GenerateJob) and Path(job.out) == answers:
            found.append(answers.exists())
        return damaged(job, before)

    workers.instead = interrupted
    run(tmp_path, workers)
    assert found == [False]


def test_a_checkpoint_that_is_damaged_again_has_no_score(tmp_path: Path) -> None:
    workers = damaging("step-000006", trainings=9)
    run(tmp_path, workers)
    assert scores(tmp_path) == {"step-000005": 3, "step-000006": None}
    assert len(workers.trainings()) == 2
    (problem,) = [e.problem for e in recorded(tmp_path, events.Evaluated) if e.problem]
    assert problem == "damaged: model.safetensors is not as it was saved"


def test_a_damaged_checkpoint_with_later_ones_has_no_score_and_nothing_is_trained_twice(
    tmp_path: Path,
) -> None:
    workers = damaging("step-000005", trainings=1)
    run(tmp_path, workers)
    assert scores(tmp_path) == {"step-000005": None, "step-000006": 2}
    assert len(workers.trainings()) == 1
    assert fault_of(tmp_path / "best") is None


@pytest.mark.parametrize(("most", "trainings"), [(1200.0, 2), (-1.0, 1)], ids=["short", "long"])
def test_where_there_is_none_to_resume_from_only_a_short_training_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: float, trainings: int
) -> None:
    monkeypatch.setattr(damage, "MOST_UNSAVED_SECONDS", most)
    workers = damaging("step-000006", trainings=1)
    damaged = workers.instead

    def without_optimizers(job: Job, before: int) -> setups.Played | None:
        played = damaged(job, before)
        if isinstance(job, TrainJob) and not before:
            for folder in Path(job.out).iterdir():
                drop_optimizer(folder)
        return played

    workers.instead = without_optimizers
    run(tmp_path, workers)
    assert len(workers.trainings()) == trainings
    assert scores(tmp_path) == {"step-000005": 3, "step-000006": 2 if trainings == 2 else None}


def test_a_damaged_average_is_made_again(tmp_path: Path) -> None:
    workers = Workers()
    made: list[Path] = []

    def harm(job: Job, before: int) -> setups.Played | None:
        if job.job != "average" or made:
            return None
        played = workers.average(job)
        made.append(Path(job.out) / job.checkpoint.name)
        flip(made[0])
        return played

    workers.instead = harm
    run(tmp_path, workers, MEAN, t0_step_5=1, t0_step_6=2, t0_average_2=3)
    assert scores(tmp_path) == {"step-000005": 1, "step-000006": 2, "average-2": 3}
    assert [e.again for e in recorded(tmp_path, events.CheckpointDamaged)] == [True]
    assert fault_of(made[0]) is None


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert not run(folder, Workers())
    return folder


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> RunDir:
    """A copy of a finished run: its best checkpoint is that of step 5."""
    return RunDir(shutil.copytree(finished, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_the_best_is_a_copy_with_a_manifest_of_its_own(finished: Path) -> None:
    assert set(contents(finished / "best")) == {"README.md", "manifest.json", "model.safetensors"}
    assert fault_of(finished / "best") is None
    assert [e.checkpoint.step for e in recorded(finished, events.BestKept)] == [5]


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def emptied(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    flip(folder)


@pytest.mark.parametrize("harm", [flip, gone, emptied, without_manifest])
def test_where_the_best_checkpoint_is_lost_its_whole_copy_is_the_best(
    own: RunDir, harm: Callable[[Path], None]
) -> None:
    before = contents(own.best)
    harm(own.checkpoints(0) / "step-000005")
    assert not run(own.root, Workers())
    assert contents(own.best) == before


@pytest.mark.parametrize("harm", [flip, gone, emptied, without_manifest])
def test_a_copy_that_is_lost_is_made_again(own: RunDir, harm: Callable[[Path], None]) -> None:
    before = contents(own.best)
    harm(own.best)
    assert not run(own.root, Workers())
    assert contents(own.best) == before


def test_the_copy_of_an_older_version_is_known_by_the_manifest_of_its_checkpoint(
    own: RunDir,
) -> None:
    lines = own.events.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if '"best_kept"' not in line]
    own.events.write_text("".join(kept), encoding="utf-8")
    (own.best / "manifest.json").unlink()
    flip(own.checkpoints(0) / "step-000005")
    assert not run(own.root, Workers())
    assert (own.best / "model.safetensors").read_bytes() == b"weights"
    assert fault_of(own.best) is None


def test_a_best_that_is_a_link_is_said_and_not_followed(own: RunDir, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    own.best.replace(elsewhere)
    flip(elsewhere)
    before = contents(elsewhere)
    try:
        own.best.symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("no links for this user on this system")
    assert not run(own.root, Workers())
    assert own.best.is_symlink()
    assert contents(elsewhere) == before
    (said,) = [e.message for e in recorded(own.root, events.Warned) if "link" in e.message]
    assert said.startswith(f"{own.best}: is a link, so the best checkpoint is not copied there")


def test_weights_that_nobody_vouches_for_never_replace_the_best(tmp_path: Path) -> None:
    workers = Workers()

    def harm(job: Job, before: int) -> setups.Played | None:
        # Before the second trial is judged, the first one's best is damaged on the disk.
        if isinstance(job, TrainJob) and before == 1:
            flip(tmp_path / "trials/0000/checkpoints/step-000005")
        return None

    workers.instead = harm
    twice = setups.strategy("A", n_trials=2)
    passes = {"t0_step_5": 3, "t0_step_6": 1, "t1_step_5": 2, "t1_step_6": 2}
    assert not run(tmp_path, workers, twice, **passes)
    assert (tmp_path / "best" / "model.safetensors").read_bytes() == b"weights"
    assert fault_of(tmp_path / "best") is None


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("manifest.json", "{}", "its manifest.json is damaged or missing"),
        ("manifest.json", "[1", "its manifest.json is damaged or missing"),
        ("manifest.json", "[]", "its manifest.json is damaged or missing"),
        ("manifest.json", '{"../x": {"size": 0}}', "names ../x, which is outside of it"),
        ("manifest.json", '{"C:\\\\x": {"size": 0}}', "which is outside of it"),
        ("manifest.json", '{"a": 1}', "a is missing or cannot be read"),
        ("model.safetensors", "", "model.safetensors is not as it was saved"),
    ],
)
def test_what_is_wrong_with_a_sealed_folder_is_said(
    tmp_path: Path, name: str, text: str, fault: str
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    seal(tmp_path)
    assert fault_of(tmp_path) is None
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert fault in str(fault_of(tmp_path))


@pytest.mark.parametrize("shard", ["../other/model.safetensors", "/etc/passwd", "absent"])
def test_an_index_that_names_weights_from_elsewhere_is_a_fault(tmp_path: Path, shard: str) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": shard}}
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    seal(tmp_path)
    assert f"names {shard}, which was not saved with it" in str(fault_of(tmp_path))


def test_a_folder_in_place_of_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    seal(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").mkdir()
    assert fault_of(tmp_path) == "model.safetensors is missing or cannot be read"
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "manifest.json").mkdir()
    assert fault_of(tmp_path) == "its manifest.json is damaged or missing"
