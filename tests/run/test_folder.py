"""The run folder: one process at a time, a record that survives a kill, names for every system."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.protocol.events import Record
from autotune.run.folder import RunDir, new_run_folder
from autotune.run.state import replay
from autotune.text.events import describe
from tests import records

HOLD = """
import sys
from pathlib import Path
from autotune.run.folder import RunDir
with RunDir(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the folder until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_folder_in_use_is_refused_with_the_name_of_its_holder(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(EnvironmentFault) as fault, RunDir(tmp_path):
            pass
        assert fault.value.exit_code == ExitCode.ENVIRONMENT
        assert f"in use by process {process.pid}, since " in str(fault.value)
        assert "\n" not in str(fault.value)
        assert RunDir(tmp_path).in_use
    assert not RunDir(tmp_path).in_use
    with RunDir(tmp_path):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
    with RunDir(tmp_path):
        assert f"process {os.getpid()}," in (tmp_path / "lock.txt").read_text(encoding="utf-8")
    assert not (tmp_path / "lock.txt").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with (
        pytest.raises(EnvironmentFault, match="choose another --run-dir"),
        RunDir(tmp_path / "file" / "run"),
    ):
        pass


STORY = records.probing()


def written(folder: Path) -> list[Record]:
    """Write a story to the folder and give its records."""
    rundir = RunDir(folder)
    return [rundir.append(record.event, record.time) for record in STORY]


def test_what_was_written_is_read_back_in_order(tmp_path: Path) -> None:
    assert written(tmp_path) == STORY
    assert list(RunDir(tmp_path).records()) == STORY
    assert b"\r" not in RunDir(tmp_path).events.read_bytes()


def test_events_of_earlier_versions_are_read_and_change_nothing(tmp_path: Path) -> None:
    written(tmp_path)
    path = RunDir(tmp_path).events
    old = (
        '{"kind":"disk_planned","needed_bytes":1,"free_bytes":2}',
        '{"kind":"prepared","folder":"toy","parameters":7}',
        '{"kind":"predicted","path":"peaks.json","points":2,"seconds":0.5}',
        '{"kind":"generated","path":"answers/responses.jsonl","answers":24,"seconds":60.0}',
        '{"kind":"interrupted","message":"the same command goes on from here"}',
    )
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[5:5] = [f'{{"time":{STORY[4].time},"event":{event}}}' for event in old]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    records = list(RunDir(tmp_path).records())
    assert len(records) == len(STORY) + len(old)
    said = [line for line in map(describe, records[5:10]) if line is not None]
    assert said == ["interrupted: the same command goes on from here"]
    ours, theirs = vars(replay(STORY)), vars(replay(records))
    assert {name for name in ours if ours[name] != theirs[name]} <= {"recent", "news"}


@pytest.mark.parametrize("lost", [1, 2, 40])
def test_a_truncated_last_line_is_passed_over_and_cut_off(tmp_path: Path, lost: int) -> None:
    story = written(tmp_path)
    path = RunDir(tmp_path).events
    path.write_bytes(path.read_bytes()[:-lost])
    assert list(RunDir(tmp_path).records()) == story[:-1]
    with RunDir(tmp_path) as rundir:
        rundir.append(story[-1].event, story[-1].time)
        assert list(rundir.records()) == story


@pytest.mark.parametrize("damage", ["", "{", '{"time": 1.0, "event": {"kind": "unheard_of"}}'])
def test_a_damaged_line_in_the_middle_is_refused_with_its_place(
    tmp_path: Path, damage: str
) -> None:
    written(tmp_path)
    path = RunDir(tmp_path).events
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[3] = damage
    path.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
    with pytest.raises(EnvironmentFault, match=r"events\.jsonl:4: not a record") as fault:
        list(RunDir(tmp_path).records())
    assert "\n" not in str(fault.value)


def test_a_folder_without_a_record_has_no_records(tmp_path: Path) -> None:
    assert list(RunDir(tmp_path / "none").records()) == []
    assert not RunDir(tmp_path / "none").in_use


def test_a_damaged_fit_counts_as_none(tmp_path: Path) -> None:
    rundir = RunDir(tmp_path)
    assert rundir.read_fit() is None
    rundir.fit.write_text(records.fit().model_dump_json(), encoding="utf-8")
    assert rundir.read_fit() == records.fit()
    rundir.fit.write_text('{"model_max_length": 1', encoding="utf-8")
    assert rundir.read_fit() is None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M"),
        ("C:\\models\\my model", "C-models-my-model"),
        ("/models/über: gut?", "ber-gut"),
        ("..", "model"),
        ("a" * 39 + ".b", "a" * 39),
    ],
)
def test_a_new_folder_has_a_name_that_every_system_allows(
    tmp_path: Path, model: str, name: str
) -> None:
    folder = new_run_folder(tmp_path / "runs", model, 1_790_000_000.0)
    assert folder.parent == tmp_path / "runs"
    stamp, _, rest = folder.name.partition("_")
    assert rest == name
    assert len(stamp) == len("20260101-120000")
    assert not set(folder.name) & set('<>:"/\\|?*')
    assert len(folder.name) < 64


def test_commands_that_begin_in_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    def begun(_: int) -> Path:
        return new_run_folder(tmp_path / "runs", "toy", 1_790_000_000.0)

    with ThreadPoolExecutor(8) as pool:
        found = {folder.name for folder in pool.map(begun, range(8))}
    first = min(found, key=len)
    assert found == {first, *(f"{first}-{number}" for number in range(2, 9))}
    assert {folder.name for folder in (tmp_path / "runs").iterdir()} == found


def test_where_no_folder_can_be_made_opening_it_says_why(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("", encoding="utf-8")
    folder = new_run_folder(tmp_path / "runs", "toy", 1_790_000_000.0)
    with pytest.raises(EnvironmentFault, match="cannot be written"), RunDir(folder):
        pass


OURS = (
    ".report.json.0123abcd.tmp",
    ".best.tmp/model.safetensors",
    ".gone-best/model.safetensors",
    "trials/0000/.job.json.0123abcd.tmp",
    "trials/0000/checkpoints/.gone-step-000001/model.safetensors",
    "eval/untrained/.scores.json.0123abcd.tmp",
    "study.bak.tmp",
    ".study.db.tmp",
    ".study.db.tmp-journal",
    ".events.jsonl.damaged-1.tmp",
)
OTHERS = (
    "notes.tmp",
    "study.db-journal",  # SQLite plays it back
    ".notes.tmp",
    ".best.tmp.txt",
    "best/model.safetensors",
    "trials/0000/checkpoints/.step-000002.tmp/model.safetensors",  # the training names it
    "trials/0000/checkpoints/step-000001/.x.0123abcd.tmp",
    "eval/untrained/responses.jsonl",
)


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (*OURS, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    with RunDir(tmp_path):
        left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert left - {"run.lock", "lock.txt"} == set(OTHERS)


def test_a_holder_that_cannot_be_read_is_another_process(tmp_path: Path) -> None:
    with holder(tmp_path):
        (tmp_path / "lock.txt").write_bytes(bytes(range(128, 256)))
        with pytest.raises(EnvironmentFault, match="in use by ") as fault, RunDir(tmp_path):
            pass
        assert "\n" not in str(fault.value)
