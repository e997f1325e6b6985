"""Python is started again by what is installed, not by what lies in the current folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autotune.base.interpreter import PYTHON

ROOT = Path(__file__).resolve().parents[2]

SHARE = (
    "import os, sys; sys.path.insert(0, {first!r});"
    "from autotune.base.interpreter import share_checkout; share_checkout();"
    "print(os.environ.get('PYTHONPATH'))"
)


def shared(first: str, *flags: str) -> str:
    """PYTHONPATH of later processes, where `first` is where Python looks first."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", SHARE.format(first=first)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("way", [("-c", "import random"), ("-m", "json.tool", "--help")])
def test_a_file_of_a_person_is_not_loaded_in_place_of_a_library(
    tmp_path: Path, way: tuple[str, ...]
) -> None:
    for name in ("random", "json", "argparse"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)\n", encoding="utf-8")
    assert subprocess.run([*PYTHON, *way], cwd=tmp_path, capture_output=True).returncode == 0


def test_a_checkout_that_is_not_installed_is_found_by_its_workers_too(tmp_path: Path) -> None:
    assert shared(str(ROOT)) == os.pathsep.join([str(ROOT), str(ROOT)])
    assert shared(str(tmp_path)) == str(ROOT)
    assert shared(str(ROOT), "-P") == str(ROOT)
