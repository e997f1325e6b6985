"""`watch` and `runs`: what another terminal shows of runs, while they run and after."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from autotune.base.errors import ExitCode
from autotune.base.format import quoted
from autotune.cli import watch
from autotune.cli.main import run
from autotune.protocol import events
from autotune.protocol.events import Record
from autotune.run.answering import SCORES
from autotune.run.folder import EVALUATED, RunDir
from tests import records as book
from tests import setups
from tests.report.test_gain import BETTER, WORSE
from tests.report.test_gain import story as gained
from tests.screens import squeezed


def write(folder: Path, records: Sequence[Record]) -> RunDir:
    folder.mkdir(parents=True, exist_ok=True)
    rundir = RunDir(folder)
    for record in records:
        rundir.append(record.event, record.time)
    return rundir


def test_a_run_that_is_over_is_shown_with_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "one", book.story())
    assert run(["watch", str(tmp_path / "one")]) == ExitCode.DONE
    said = squeezed(capsys.readouterr().out.replace("│", " "))
    assert "trial 1 (B): checkpoint 80 % scores 6/24 25.0 % [12-45]" in said
    assert "run over, target met" in said
    assert "after training: 8/24 33.3 % [18-53]" in said or "after training 8/24" in said


def test_a_running_one_is_followed_to_its_end_in_plain_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.01)
    told = book.story()
    half = len(told) // 2
    held = write(tmp_path / "one", told[:half])

    def work() -> None:
        time.sleep(0.05)
        write(tmp_path / "one", told[half:])
        held.__exit__(None, None, None)

    with held:
        worker = threading.Thread(target=work)
        worker.start()
        code = run(["watch", str(tmp_path / "one"), "--json"])
        worker.join()
    shown = capsys.readouterr()
    assert code == ExitCode.DONE
    assert "training trial 0 (A): step 1/12" in shown.err
    assert "moving on from A to B" in shown.err
    assert "run over, target met" in shown.err
    assert json.loads(shown.out)["state"] == "met"


def test_an_interrupted_run_and_ctrl_c_say_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = write(tmp_path / "one", book.training())
    assert run(["watch", str(tmp_path / "one")]) == ExitCode.DONE
    assert "it was interrupted; the command that began it resumes it" in capsys.readouterr().out

    def leave(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", leave)
    with held:
        assert run(["watch", str(tmp_path / "one")]) == ExitCode.DONE
    left = f"left; to see it again: smolsft-autotune watch {quoted(str(tmp_path / 'one'))}"
    assert left in capsys.readouterr().out


@pytest.mark.parametrize("named", [True, False])
def test_of_an_interrupted_run_the_command_that_resumes_it_is_given_with_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: bool
) -> None:
    root = quoted(str(tmp_path / "one"))
    typed = f"smolsft-autotune run --profile cpu-smoke{f' --run-dir {root}' if named else ''}"
    first, *others = book.training()
    started = first.event.model_copy(update={"command": typed})
    write(tmp_path / "one", [first.model_copy(update={"event": started}), *others])
    assert run(["watch", str(tmp_path / "one")]) == ExitCode.DONE
    said = capsys.readouterr().out.splitlines()[-1]
    assert "it was interrupted; " in said and "keeps what fits, 2 baselines" in said
    command = f"smolsft-autotune run --profile cpu-smoke --run-dir {root}"
    assert said.endswith(f"to resume: {command}")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ([], "runs: holds no run; begin one, or give a run's folder"),
        (["nowhere"], "nowhere: is not there; give a run's folder"),
        (["empty"], "empty: holds no run (no events.jsonl)"),
        (["file"], "file: is a file; give a run's folder"),
    ],
)
@pytest.mark.parametrize("command", ["watch", "report"])
def test_what_is_no_run_is_refused_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    named: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert run([command, *named]) == ExitCode.BAD_INPUT
    assert said in capsys.readouterr().err


def test_runs_are_listed_with_state_score_and_age_and_the_newest_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(time, "time", lambda: book.START + 7200)
    write(Path("runs") / "met", book.story())
    write(Path("runs") / "missed", book.parrot())
    write(Path("runs") / "probed", book.probing())
    (tmp_path / "runs" / "no run").mkdir()
    with write(Path("runs") / "now", book.training()):
        assert run(["runs"]) == ExitCode.DONE
        assert run(["runs", "--json"]) == ExitCode.DONE
    table, _, text = capsys.readouterr().out.partition('{"folder"')
    rows = {line.split()[0]: squeezed(line) for line in table.splitlines()[2:] if line.strip()}
    assert rows["met"].startswith("met met 8/24 33.3 % [18-53] 25.0 % 2 ")
    assert rows["met"].endswith(" ago")
    assert rows["missed"].startswith("missed done 9/24 37.5 % [21-57] counts for 0.0 %")
    assert rows["probed"].startswith("probed interrupted 25.0 %")
    assert rows["now"].startswith("now running")
    listed = {Path(r["run_dir"]).name: r for r in json.loads('{"folder"' + text)["runs"]}
    assert {name: each["state"] for name, each in listed.items()} == {
        "met": "met", "missed": "done", "probed": "interrupted", "now": "running",
    }  # fmt: skip
    assert listed["met"]["best"]["passes"] == 8 and listed["met"]["best"]["n"] == 24
    assert listed["missed"]["best"]["counted"] == 0.0
    assert listed["now"]["best"] is None
    assert run(["watch"]) == ExitCode.DONE
    newest = max(listed.values(), key=lambda each: each["last_record"])
    assert f"run folder {newest['run_dir']}" in capsys.readouterr().out


def test_an_evaluation_by_itself_is_listed_as_one_and_is_not_the_newest_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("runs") / "20261129_toy", book.story())
    ready = events.Ready(pid=1, device="CPU", torch="2.13.0", transformers="5.24.0")
    later = Record(time=book.START + 9_999, event=ready)
    answers = write(Path("runs") / "20261129_eval", [later]).eval_folder(EVALUATED)
    answers.mkdir(parents=True)
    assert run(["runs", "--json"]) == ExitCode.DONE
    newest, _ = json.loads(capsys.readouterr().out)["runs"]
    assert (newest["kind"], newest["state"], newest["best"]) == ("evaluation", "interrupted", None)
    scored = setups.report(3, 8).model_dump_json()
    (answers / SCORES).write_text(scored, encoding="utf-8")
    assert run(["runs", "--json"]) == ExitCode.DONE
    printed = capsys.readouterr()
    newest, _ = json.loads(printed.out)["runs"]
    assert (newest["kind"], newest["state"]) == ("evaluation", "done")
    assert (newest["best"]["passes"], newest["best"]["n"]) == (3, 8)
    assert "done (evaluation)" in printed.err and "3/8" in printed.err
    assert run(["watch"]) == ExitCode.DONE
    assert "run folder runs/20261129_toy" in capsys.readouterr().out.replace("\\", "/")
    assert run(["report"]) == ExitCode.DONE
    assert (Path("runs") / "20261129_toy" / "report.md").is_file()
    assert run(["watch", "runs/20261129_eval"]) == ExitCode.DONE
    assert "an evaluation that is over: 3/8 37.5 %" in capsys.readouterr().out


def test_a_run_that_gained_nothing_says_so_first_in_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    write(tmp_path / "worse", gained(WORSE))
    write(tmp_path / "better", gained(BETTER))
    write(tmp_path / "begun", book.training())
    assert run(["runs", str(tmp_path), "--json"]) == ExitCode.DONE
    captured = capsys.readouterr()
    rows = {line.split()[0]: squeezed(line) for line in captured.err.splitlines() if line.strip()}
    assert rows["worse"].startswith("worse no better, met 8/24")
    assert rows["better"].startswith("better met 8/24")
    listed = {Path(r["run_dir"]).name: r for r in json.loads(captured.out)["runs"]}
    found = {name: (each["no_better"], each["state"]) for name, each in listed.items()}
    assert found == {
        "worse": (True, "met"),
        "better": (False, "met"),
        "begun": (None, "interrupted"),
    }


@pytest.mark.parametrize("width", ["30", "60", "120"])
def test_the_list_keeps_its_figures_at_any_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    for name, value in (("TTY_COMPATIBLE", "1"), ("TERM", "dumb"), ("LINES", "40")):
        monkeypatch.setenv(name, value)  # as a terminal without colours
    write(tmp_path / "20261129-101500_SmolLM2-135M-Instruct", book.story())
    assert run(["runs", str(tmp_path)]) == ExitCode.DONE
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= int(width)
    assert "8/24 33.3 % [18-53]" in squeezed(text)
    assert "20261129-101500_SmolLM2-135M-Instruct" in text.replace("\n", "")


def test_a_folder_without_runs_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for typed in (["runs"], ["runs", str(tmp_path)]):
        assert run(typed) == ExitCode.DONE
        assert "holds no run; smolsft-autotune run begins one" in capsys.readouterr().out
        assert run([*typed, "--json"]) == ExitCode.DONE
        assert json.loads(capsys.readouterr().out)["runs"] == []


def test_what_is_no_folder_of_runs_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events.jsonl").touch()
    for typed, said in (("none", "no such folder"), ("run", "is a run itself; smolsft-autotune")):
        assert run(["runs", str(tmp_path / typed)]) == ExitCode.BAD_INPUT
        assert said in capsys.readouterr().err


def without_a_start(folder: Path, lost: int) -> RunDir:
    """A run's record in which the line that begins a trial is truncated."""
    told: list[Record] = []
    for record in book.story():
        told.append(record)
        if isinstance(ended := record.event, events.TrialEnded):
            removed = events.CheckpointsRemoved(
                number=ended.number, names=("step-000010",), freed_bytes=1
            )
            told.append(Record(time=record.time, event=removed))
    lines = [record.model_dump_json() for record in told]
    begun = [at for at, line in enumerate(lines) if '"kind":"trial_started"' in line]
    lines[begun[lost]] = lines[begun[lost]][:-9]
    folder.mkdir(parents=True)
    rundir = RunDir(folder)
    rundir.events.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return rundir


@pytest.mark.parametrize("lost", [0, 1])
def test_a_record_that_lacks_the_start_of_a_trial_is_shown_as_far_as_it_can_be_read(
    tmp_path: Path, lost: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rundir = without_a_start(tmp_path / "runs" / "one", lost)
    assert run(["watch", str(rundir.root)]) == ExitCode.DONE
    shown = capsys.readouterr()
    said = " ".join((shown.out + shown.err).split())
    assert "could not be read and were passed over" in said
    assert "internal" not in said
    assert run(["runs", str(rundir.root.parent), "--json"]) == ExitCode.DONE
    shown = capsys.readouterr()
    (found,) = json.loads(shown.out)["runs"]
    assert found["state"] == "unreadable"
    assert "events.jsonl:" in found["problem"] and "is not JSON" in found["problem"]
    assert "--salvage" in found["problem"]
    assert "list index" not in shown.err
