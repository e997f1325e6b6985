"""The folder that `eval` is given: what another command began there is none of its business."""

from pathlib import Path

import pytest

from autotune.base.errors import BadInput, ExitCode
from autotune.cli.eval import asked_profile
from autotune.cli.folder_work import EVALUATION, work_in
from autotune.cli.main import run
from autotune.cli.options import Options
from autotune.cli.run_folder import choose_folder, store_settings, undone_without_answers
from autotune.launch import SubprocessRunner
from autotune.protocol.job import Job
from autotune.run.answering import RESPONSES
from autotune.run.folder import RunDir
from tests import records
from tests.cli.test_interrupts import interrupted, interrupted_after_two
from tests.cli.test_interrupts import toy as toy

FOLDER = Path("mine")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def typed(model: Path) -> list[str]:
    return ["eval", str(model), "--profile", "cpu-smoke", "--run-dir", str(FOLDER)]


def whole(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but its lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("target", [0.5, 0.0], ids=["a run", "a probe"])
def test_a_run_or_a_probe_of_the_same_settings_is_refused_and_stays_as_it_is(
    toy: Path, target: float, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunDir(FOLDER) as rundir:
        store_settings(rundir, asked_profile(Options.of({"profile": "cpu-smoke"}), str(toy)))
        rundir.append(records.run_started().model_copy(update={"target": target}), 1.0)
        for name in ("practice/run/responses.jsonl", "work/prepare/job.json", "eval/untrained/x"):
            (FOLDER / name).parent.mkdir(parents=True)
            (FOLDER / name).write_text("{}", encoding="utf-8")
    before = whole(FOLDER)
    assert run(typed(toy)) == ExitCode.BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    said = f"--run-dir {FOLDER}: holds a run, not an evaluation; give another folder"
    assert line == f"smolsft-autotune: {said}"
    assert whole(FOLDER) == before


def test_what_another_process_began_stays_where_an_error_comes_before_the_first_answer(
    toy: Path,
) -> None:
    profile = asked_profile(Options.of({"profile": "cpu-smoke"}), str(toy))
    rundir = RunDir(FOLDER)
    with rundir:
        store_settings(rundir, profile)
        rundir.append(records.run_started(), 1.0)
    before = whole(FOLDER)
    where = rundir.eval_folder("model") / RESPONSES
    with pytest.raises(BadInput), rundir, undone_without_answers(rundir, where):
        store_settings(rundir, profile)
        raise BadInput("other data than the run began with")
    assert whole(FOLDER) == before


def play(monkeypatch: pytest.MonkeyPatch, do: object) -> None:
    def work(runner: SubprocessRunner, job: Job, folder: Path, *_: object, **__: object) -> object:
        folder.mkdir(parents=True, exist_ok=True)
        return do(runner, job)  # type: ignore[operator]

    monkeypatch.setattr(SubprocessRunner, "run", work)


def test_an_interrupted_evaluation_resumes_in_its_folder_and_no_run_takes_it_up(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play(monkeypatch, interrupted_after_two)
    for _ in range(2):
        assert run(typed(toy)) == ExitCode.INTERRUPTED
        assert f"{FOLDER} keeps 2 of 48 answers; to resume: " in capsys.readouterr().err
    assert work_in(FOLDER) is EVALUATION
    with pytest.raises(BadInput, match="holds an evaluation, not a run; give another folder"):
        choose_folder(FOLDER, asked_profile(Options.of({"profile": "cpu-smoke"}), str(toy)))


def test_a_killed_evaluation_without_answers_is_there_after_an_interrupt_and_resumes(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunDir(FOLDER) as rundir:
        store_settings(rundir, asked_profile(Options.of({"profile": "cpu-smoke"}), str(toy)))
    play(monkeypatch, interrupted)
    assert run(typed(toy)) == ExitCode.INTERRUPTED
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{FOLDER} holds no answer yet; to resume there: smolsft-autotune eval " in line
    play(monkeypatch, interrupted_after_two)
    assert run(typed(toy)) == ExitCode.INTERRUPTED
    assert f"{FOLDER} keeps 2 of 48 answers" in capsys.readouterr().err
