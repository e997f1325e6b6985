"""The faults themselves: the N-th operation below a folder goes wrong, and no other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.cases import every_fault, situation, some_faults
from tests.faults.control import (
    CONTROL,
    LIBRARY,
    ROLE,
    Fault,
    Kind,
    Operation,
    Role,
    built,
    control,
    operations,
)

PROGRAM = """
import os, sqlite3, sys
sys.path.insert(0, {root!r})
from tests.faults.control import obey
obey(os.environ)
open("outside", "w").write("not counted")
os.mkdir("run")                                   # 1
with open("run/file", "w") as file:               # 2
    file.write("0123456789")                      # 3, when it is closed
try:
    with open("run/other", "w") as file:          # 4
        file.write("abc")                         # 5
except OSError as error:
    print(error.strerror)
os.rename("run/file", "run/renamed")              # 6
try:
    with sqlite3.connect("run/study.db") as database:
        database.execute("create table t (x)")
except sqlite3.Error as error:
    print(error)
print("over")
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("library"))


def program(
    folder: Path, library: Path, fault: Fault | None
) -> tuple[int, str, list[Operation], str]:
    """Exit code, output, trace and what was met, of a program that writes a few files."""
    trace = folder / "trace"
    code = PROGRAM.format(root=str(Path(__file__).resolve().parents[2]))
    with control(folder / "control", folder / "run", fault, trace) as block:
        ours = {LIBRARY: str(library), "LD_PRELOAD": str(library), CONTROL: str(block.path)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, **ours, ROLE: "0"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    assert not done.stderr
    return done.returncode, done.stdout, operations(trace), block.met


def test_operations_below_the_folder_are_counted_sqlites_too(tmp_path: Path, library: Path) -> None:
    code, said, found, _ = program(tmp_path, library, None)
    assert (code, said) == (0, "over\n")
    assert [op.at for op in found] == list(range(1, len(found) + 1))
    assert [(op.name, op.path) for op in found[:6]] == [
        ("mkdir", ""),
        ("open", "/file"),
        ("write", "/file"),
        ("open", "/other"),
        ("write", "/other"),
        ("rename", "/renamed"),
    ]
    assert {"/study.db", "/study.db-journal"} <= {op.path for op in found[6:]}


def test_a_killed_process_leaves_what_it_had_written_and_a_truncated_write_its_half(
    tmp_path: Path, library: Path
) -> None:
    for kind, left in ((Kind.KILL, ""), (Kind.TEAR, "01234")):
        folder = tmp_path / kind.name
        folder.mkdir()
        code, said, found, met = program(folder, library, Fault(Role.RUN, kind, 3))
        assert (code, said, met, len(found)) == (-signal.SIGKILL, "", "write /file", 3)
        assert (folder / "run" / "file").read_text(encoding="utf-8") == left


def test_an_error_comes_once_and_a_full_disk_stays_full(tmp_path: Path, library: Path) -> None:
    said = {}
    for kind in (Kind.EIO, Kind.ENOSPC):
        folder = tmp_path / kind.name
        folder.mkdir()
        code, said[kind], _, met = program(folder, library, Fault(Role.RUN, kind, 5))
        assert (code, met) == (0, "write /other")
        assert (folder / "run" / "renamed").exists()
    assert said[Kind.EIO] == "Input/output error\nover\n"
    assert said[Kind.ENOSPC].startswith("No space left on device\n")
    assert (tmp_path / "ENOSPC" / "run" / "other").read_text(encoding="utf-8") == "a"
    assert said[Kind.ENOSPC].count("\n") == 3, "SQLite finds the disk full as well"


def test_of_another_role_nothing_is_met(tmp_path: Path, library: Path) -> None:
    code, said, _, met = program(tmp_path, library, Fault(Role.WORKER, Kind.EIO, 5))
    assert (code, said, met) == (0, "over\n", "")


def test_some_faults_are_of_every_kind_and_of_situations_that_differ() -> None:
    calm = [
        Operation(Role.RUN, at, name, f"/trials/{at:04d}/.{place}.{at:08x}.tmp")
        for at, (name, place) in enumerate(
            [(name, place) for place in "abcdefgh" for name in ("open", "write", "fsync")] * 5, 1
        )
    ]
    assert len({situation(op) for op in calm}) == 24
    chosen = some_faults(calm, 20, seed=1)
    assert chosen == some_faults(calm, 20, seed=1)
    assert len(chosen) == len(set(chosen)) == 20
    assert {fault.kind for fault in chosen} == {Kind.KILL, Kind.TEAR, Kind.ENOSPC, Kind.EIO}
    by_number = {op.at: op for op in calm}
    for kind in Kind:
        of = [situation(by_number[fault.at]) for fault in chosen if fault.kind is kind]
        assert len(set(of)) == len(of)
    assert set(chosen) <= set(every_fault(calm))
