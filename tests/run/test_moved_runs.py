"""A run folder can be renamed, copied and named in any way: the run goes on there only."""

import shutil
import sys
from pathlib import Path

import pytest

from autotune.base.manifest import fault_of
from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.job import AverageJob, DeviceSpec, GenerateJob, TrainJob
from autotune.protocol.plan import DataSpec
from autotune.report.build import build_report
from autotune.report.schema import run_json
from autotune.run.folder import RunDir
from tests import records, setups
from tests.played import Workers
from tests.study.test_cleanup import judge, tuner
from tests.study.test_tuner_resume import Ended

A = setups.strategy("A", average_checkpoints=2)
PASSES = {"t0_step_5": 1, "t0_step_6": 2, "t0_average_2": 3}

# What every system that we know allows or, beyond Windows, anything but a slash.
NAME = "-a {b} %20 [c] #d 'e' ü~." if sys.platform != "win32" else "-a {b} %20 [c] #d 'e' ü~"
NAMES = [NAME] if sys.platform == "win32" else [NAME, '?x=1&y "z" $HOME `id` \\n*\n|']


def run(folder: Path, workers: Workers | None = None, end_at: int = 0) -> None:
    tuner(folder, judge(**PASSES), A, workers=workers, end_at=end_at).run()


def scores(folder: Path) -> list[tuple[str, int | None]]:
    found = [r.event for r in RunDir(folder).records() if isinstance(r.event, events.Evaluated)]
    return [(e.checkpoint.name, e.score and e.score.passes) for e in found]


SCORES = [("step-000005", 1), ("step-000006", 2), ("average-2", 3)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was ended after its training, before its first checkpoint had a score."""
    folder = tmp_path_factory.mktemp("before") / "run"
    workers = Workers()

    def end(job: object, before: int) -> setups.Played | None:
        if isinstance(job, GenerateJob) and before == 1:
            raise Ended
        return None

    workers.instead = end
    with pytest.raises(Ended):
        run(folder, workers)
    return folder


def spoil(folder: Path) -> None:
    """Make the original useless, so that whoever reads it shows."""
    for path in folder.rglob("model.safetensors"):
        path.write_bytes(b"other weights")


def as_older(folder: Path, root: str, separator: str) -> None:
    """Write the paths of a record as they were written once: with the run's folder before them."""
    path = RunDir(folder).events
    text = path.read_text(encoding="utf-8")
    inside = "trials/0000/checkpoints/"
    escaped = (root + separator + inside.replace("/", separator)).replace("\\", "\\\\")
    assert f'"folder":"{inside}' in text
    path.write_text(text.replace(f'"folder":"{inside}', f'"folder":"{escaped}'), encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_under_any_name_goes_on_with_its_own_weights(
    trained: Path, tmp_path: Path, name: str
) -> None:
    original = shutil.copytree(trained, tmp_path / "run")
    copy = shutil.copytree(original, tmp_path / "elsewhere" / name)
    spoil(original)
    workers = Workers()
    run(copy, workers)
    assert scores(copy) == SCORES
    for job in workers.seen:
        if isinstance(job, GenerateJob) and job.model_folder != "model":
            assert copy in Path(job.model_folder).parents
        if isinstance(job, AverageJob | TrainJob):
            assert copy in Path(job.out).parents
    assert (copy / "best" / "model.safetensors").read_bytes() == b"mean"
    assert fault_of(copy / "best") is None
    assert {p.name for p in copy.parent.iterdir()} == {name}
    assert list(original.glob("best")) == []


@pytest.mark.parametrize(
    ("root", "separator"),
    [("run", "/"), ("{original}", "/"), ("C:\\Users\\me\\runs\\20261128-100000_toy", "\\")],
)
def test_a_record_of_an_older_version_goes_on_where_its_folder_lies_now(
    trained: Path, tmp_path: Path, root: str, separator: str
) -> None:
    original = shutil.copytree(trained, tmp_path / "original")
    moved = shutil.copytree(original, tmp_path / "moved")
    spoil(original)
    as_older(moved, root.format(original=original), separator)
    workers = Workers()
    run(moved, workers)
    assert scores(moved) == SCORES
    assert (moved / "best" / "model.safetensors").read_bytes() == b"mean"
    assert not any(isinstance(job, TrainJob) for job in workers.seen)


def test_a_run_goes_on_from_another_working_directory(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = shutil.copytree(trained, tmp_path / "there" / "run")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run(Path("..") / "there" / "run")
    assert scores(there) == SCORES
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("planned", [None, "/before/prompts.jsonl"])
def test_rows_are_left_out_by_the_prompts_where_they_lie_now(planned: str | None) -> None:
    plan = records.plan(data=DataSpec(path="/before/chats", format="auto", drop_prompts=planned))
    device = DeviceSpec(kind="cpu", precision=Precision.FP32, limit_bytes=1)
    job = TrainJob(
        device=device, plan=plan, out="out", data_path="/now/chats", drop_prompts="/now/prompts"
    )
    now = None if planned is None else "/now/prompts"
    assert (job.data.path, job.data.drop_prompts) == ("/now/chats", now)


def test_nothing_that_a_run_writes_names_the_place_where_it_lies(
    trained: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(trained, tmp_path / "here" / "run")
    run(folder)
    report = build_report(list(RunDir(folder).records()), folder)
    named = [
        path.name
        for path in sorted(folder.rglob("*"))
        if path.is_file() and str(tmp_path) in path.read_bytes().decode("utf-8", "replace")
    ]
    # Played workers sign their answers with the folder of their model.
    assert set(named) - {"responses.jsonl"} == set()
    assert '"checkpoint":"trials/0000/checkpoints/average-2"' in report.model_dump_json()
    said = run_json(report)["best"]["checkpoint"]
    assert said == str(folder / "trials/0000/checkpoints/average-2")
