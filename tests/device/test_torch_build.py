"""The installed torch, read from its files."""

import subprocess
import sys
from pathlib import Path

import pytest

from autotune.device.torch_build import TorchBuild, read_build, torch_folder
from tests.played_torch import write_version


@pytest.mark.parametrize(
    ("version", "cuda", "hip"),
    [("2.13.0+cpu", None, None), ("2.11.0+cu128", "12.8", None), ("2.9.0+rocm6.4", None, "6.4.1")],
)
def test_a_build_says_its_version_and_what_it_computes_with(
    tmp_path: Path, version: str, cuda: str | None, hip: str | None
) -> None:
    found = read_build(write_version(tmp_path, version, cuda, hip))
    assert found == TorchBuild(version, cuda, hip)
    assert found.release == version.split("+")[0]


@pytest.mark.parametrize("text", [None, "", "cuda = ", "__version__ = '2.1'", "cuda = None"])
def test_a_torch_that_does_not_say_is_not_guessed(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "version.py").write_text(text, encoding="utf-8")
    assert read_build(tmp_path) is None


def test_the_installed_torch_is_read_without_being_loaded() -> None:
    program = (
        "import sys; from autotune.device.torch_build import read_build, torch_folder;"
        " print(read_build(torch_folder()).version, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True
    )
    version, loaded = done.stdout.split()
    assert version[0].isdigit()
    assert loaded == "False"
    assert torch_folder() is not None
