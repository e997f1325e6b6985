"""Durable writes: the old file or the new one, whole."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.base.files import patiently, write_bytes_atomic, write_text_atomic
from autotune.base.manifest import put_in_place


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "fit.json"
    write_text_atomic(path, "old")
    write_text_atomic(path, "new: ü\n")
    assert path.read_bytes() == "new: ü\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    write_bytes_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_bytes_atomic(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


FULL = """
import resource, sys
from pathlib import Path
from autotune.base.errors import EnvironmentFault
from autotune.base.files import write_bytes_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes_atomic(Path(sys.argv[1]), b"x" * 5000)
except EnvironmentFault as fault:
    print(fault)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    write_bytes_atomic(path, b"old")
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    assert said.stdout.startswith(f"{path}: cannot be written (")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_one_line_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match=r"fit\.json: cannot be written") as fault:
        write_text_atomic(tmp_path / "file" / "fit.json", "text")
    assert fault.value.exit_code == ExitCode.ENVIRONMENT
    assert "\n" not in str(fault.value)


def test_a_folder_in_the_way_is_one_line_and_stays(tmp_path: Path) -> None:
    (tmp_path / "fit.json" / "inside").mkdir(parents=True)
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_text_atomic(tmp_path / "fit.json", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["fit.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_file_has_the_permissions_that_the_umask_gives(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "ours", "")
    (tmp_path / "plain").write_text("", encoding="utf-8")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")}
    assert len(modes) == 1
    old = os.umask(0o027)
    try:
        write_text_atomic(tmp_path / "group", "")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "group").stat().st_mode) == 0o640


class Held(PermissionError):
    """What Windows raises while another program has the file."""

    def __init__(self, winerror: int) -> None:
        super().__init__(13, "The process cannot access the file")
        self.winerror = winerror


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_a_file_that_antivirus_holds_for_a_while_is_waited_for(winerror: int) -> None:
    pauses: list[float] = []

    def act() -> str:
        if len(pauses) < 4:
            raise Held(winerror)
        return "done"

    assert patiently(act, pauses.append) == "done"
    assert pauses == [0.05, 0.1, 0.2, 0.4]


def test_a_file_that_is_never_let_go_is_an_error_after_some_seconds() -> None:
    pauses: list[float] = []

    def act() -> None:
        raise Held(32)

    with pytest.raises(PermissionError):
        patiently(act, pauses.append)
    assert 5 < sum(pauses) < 12


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "none"), Held(112)]
)
def test_what_no_waiting_mends_is_not_waited_for(error: OSError) -> None:
    pauses: list[float] = []

    def act() -> None:
        raise error

    with pytest.raises(OSError):
        patiently(act, pauses.append)
    assert pauses == []


def test_a_checkpoint_and_a_file_get_their_names_though_they_are_held_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, refused = Path.replace, []

    def held_once(self: Path, target: Path) -> Path:
        if self not in refused:
            refused.append(self)
            raise Held(5)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", held_once)
    write_text_atomic(tmp_path / "fit.json", "new")
    work, final = tmp_path / ".step.tmp", tmp_path / "step"
    for folder in (work, final):
        folder.mkdir()
        (folder / "weights").write_text(folder.name, encoding="utf-8")
    put_in_place(work, final)
    assert (tmp_path / "fit.json").read_text(encoding="utf-8") == "new"
    assert (final / "weights").read_text(encoding="utf-8") == ".step.tmp"
    assert len(refused) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.json", "step"]
