"""A run's record names what lies in the run from the run's folder, however the run was named."""

from pathlib import Path

import pytest

from autotune.protocol import events
from autotune.protocol.choices import Precision
from autotune.protocol.job import DeviceSpec, GenerateJob, as_read, as_written
from autotune.protocol.results import Checkpoint
from autotune.protocol.run_path import checkpoint_in_run, from_folder
from autotune.run.folder import RunDir

INSIDE = "trials/0000/checkpoints/step-000008"


@pytest.mark.parametrize(
    "recorded",
    [
        INSIDE,
        f"run/{INSIDE}",
        f"/home/me/trials/0003/checkpoints/run/{INSIDE}/",
        f"runs/{{a}}%20?#[b]/{INSIDE}",
        "run\\trials\\0000\\checkpoints\\step-000008",
        "C:\\Users\\me\\runs\\one/trials\\0000/checkpoints\\step-000008\\",
        f"a\nb/{INSIDE}",
    ],
)
def test_a_checkpoint_is_recorded_by_its_path_in_the_run(recorded: str) -> None:
    assert checkpoint_in_run(recorded) == INSIDE
    saved = Checkpoint(step=8, progress=1.0, folder=recorded)
    assert saved == Checkpoint(step=8, progress=1.0, folder=INSIDE)
    assert RunDir(Path("here")).checkpoint(0, saved) == Path("here") / INSIDE


@pytest.mark.parametrize("other", ["x", "models/demo", "trials/0000/checkpoints", ""])
def test_another_path_stays_as_it_is(other: str) -> None:
    assert checkpoint_in_run(other) == other


def test_what_workers_write_into_the_run_is_recorded_from_its_folder(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    survey = events.Surveyed(path=str(run.survey), conversations=1, dropped={}, literal_markers=0)
    assert run.append(survey, 1.0).event == survey.model_copy(update={"path": "survey.json"})
    assert str(tmp_path) not in run.events.read_text(encoding="utf-8")
    assert from_folder("/elsewhere/survey.json", tmp_path) == "/elsewhere/survey.json"


def job_in(run: Path, model: str, out: Path) -> GenerateJob:
    return GenerateJob(
        device=DeviceSpec(kind="cpu", precision=Precision.FP32, limit_bytes=0),
        model_folder=model,
        prompts=str(run / "prompts.jsonl"),
        out=str(out / "responses.jsonl"),
        max_new_tokens=1,
        batch_size=1,
        prefill_tokens=1,
    )


def test_a_job_file_names_what_lies_in_its_run_from_where_it_lies_itself(tmp_path: Path) -> None:
    run, model = tmp_path / "a run", str(tmp_path / "model")
    folder = run / "eval" / "untrained"
    asked = job_in(run, model, folder)
    written = as_written(asked, folder)
    assert isinstance(written, GenerateJob)
    assert (written.prompts, written.out) == ("../../prompts.jsonl", "responses.jsonl")
    assert written.model_folder == model
    assert as_read(written, folder) == asked
    moved = tmp_path / "moved"
    there = moved / "eval" / "untrained"
    assert as_read(written, there) == job_in(moved, model, there)


def test_a_job_of_a_run_that_was_named_from_here_is_the_same_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("run/eval/untrained")
    written = as_written(job_in(Path("run"), "model", folder), folder)
    whole = tmp_path / folder
    assert as_read(written, whole) == job_in(tmp_path / "run", str(tmp_path / "model"), whole)
