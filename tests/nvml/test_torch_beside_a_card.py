"""Commands on a machine with a card, and what they say of the torch that they find beside it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nvml.driver import ROOT, Driver
from tests.played_torch import write_torch, write_version

COMMANDS = (
    ("run", "--target", "0.25"),
    ("eval", "toy"),
    ("probe", "--profile", "cpu-smoke", "--device", "cuda"),
)
"""Each would use the card; the first two would fetch something from the hub or build a model."""


def said_by(
    driver: Driver, folder: Path, *arguments: str, torch: Path, scene: str = "laptop"
) -> tuple[int, str]:
    """Exit code and standard error of a command that finds the torch in this folder."""
    done = ended(driver, folder, *arguments, torch=torch, scene=scene)
    return done.returncode, done.stderr


def ended(
    driver: Driver,
    folder: Path,
    *arguments: str,
    torch: Path,
    scene: str = "laptop",
    **settings: str,
) -> subprocess.CompletedProcess[str]:
    """A command with these environment variables that finds the torch in this folder."""
    (folder / "home").mkdir(exist_ok=True)
    environment = driver.environment(
        scene,
        PYTHONPATH=os.pathsep.join([str(torch), str(ROOT)]),
        SMOLSFT_CACHE=str(folder / "cache"),
        HF_HUB_OFFLINE="1",
        TMPDIR=str(folder / "home"),
        **settings,
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "autotune", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_torch_without_cuda_is_one_line_with_the_command_and_nothing_is_left(
    driver: Driver, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    write_version(tmp_path / "lib", "2.13.0+cpu")
    code, said = said_by(driver, tmp_path, *arguments, torch=tmp_path / "lib")
    assert code == 4
    (line,) = said.splitlines()
    assert line.startswith("smolsft-autotune: torch 2.13.0+cpu cannot use the RTX 4060 Laptop: it")
    assert "pip install torch==2.13.0+cu130 --index-url https://download.pytorch.org" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "lib"]
    assert list((tmp_path / "home").iterdir()) == []


NO_CODE = """
def compute(device, dtype):
    raise RuntimeError("CUDA error: no kernel image is available for execution on the device\\n"
                       "CUDA kernel errors might be asynchronously reported")
def get_arch_list():
    return ["sm_100", "sm_120"]
"""
TOO_OLD = """
def init():
    raise RuntimeError("The NVIDIA driver on your system is too old (found version 12090). Please")
"""
UPDATED = """
def init():
    raise RuntimeError("Unexpected error from cudaGetDeviceCount(). Error 803: system has"
                       " unsupported display driver / cuda driver combination")
"""


@pytest.mark.parametrize(
    ("played", "expected"),
    [
        (NO_CODE, "it has no code for a card of capability 8.9, only sm_100 sm_120"),
        (TOO_OLD, "CUDA 13.0 needs an NVIDIA driver from 580 on, this is"),
        (UPDATED, "restart the computer: its driver was updated while it was running"),
    ],
)
def test_what_a_worker_finds_wrong_with_the_card_is_one_line_before_anything_is_fetched(
    driver: Driver, tmp_path: Path, played: str, expected: str
) -> None:
    write_torch(tmp_path / "lib", "2.13.0+cu130", "13.0", played)
    code, said = said_by(driver, tmp_path, "probe", torch=tmp_path / "lib")
    assert code == 4
    (line,) = said.splitlines()
    assert line.startswith("smolsft-autotune: torch 2.13.0+cu130 cannot use the RTX 4060 Laptop: ")
    assert expected in line
    assert not (tmp_path / "runs").exists()
    assert list((tmp_path / "home").iterdir()) == []


def test_a_card_that_computes_is_said_and_the_command_goes_on(
    driver: Driver, tmp_path: Path
) -> None:
    write_torch(tmp_path / "lib", "2.13.0+cu130", "13.0")
    code, said = said_by(
        driver, tmp_path, "eval", "toy", "--prompts", "none.jsonl", torch=tmp_path / "lib"
    )
    assert code == 2
    assert said.splitlines()[-1].startswith("smolsft-autotune: prompts none.jsonl: no such file")


@pytest.mark.parametrize("command", [("eval", "toy"), ("probe", "--model", "toy"), ("run",)])
def test_a_setting_that_workers_go_without_is_said_before_the_work(
    driver: Driver, tmp_path: Path, command: tuple[str, ...]
) -> None:
    write_torch(tmp_path / "lib", "2.13.0+cu130", "13.0")
    done = ended(
        driver,
        tmp_path,
        *command,
        "--vram-budget",
        "64GiB",  # more than the card has, which is seen once it is known to compute
        torch=tmp_path / "lib",
        PYTORCH_NO_CUDA_MEMORY_CACHING="1",
        COLUMNS="200",
    )
    assert done.returncode == 2
    assert "memory budget 64GiB: " in done.stderr
    said = " ".join(done.stdout.split())
    assert "PYTORCH_NO_CUDA_MEMORY_CACHING is set; workers go without it: " in said


def test_on_the_cpu_the_card_and_its_torch_are_not_asked(driver: Driver, tmp_path: Path) -> None:
    write_version(tmp_path / "lib", "2.13.0+cpu")
    arguments = ("run", "--device", "cpu", "--profile", "cpu-smoke", "--prompts", "none.jsonl")
    code, said = said_by(driver, tmp_path, *arguments, torch=tmp_path / "lib")
    assert code == 2
    assert "prompts none.jsonl: no such file" in said


def test_answers_made_elsewhere_are_scored_beside_a_torch_that_cannot_use_the_card(
    driver: Driver, tmp_path: Path
) -> None:
    write_version(tmp_path / "lib", "2.13.0+cpu")
    arguments = ("eval", "--responses", "none.jsonl", "--prompts", "none.jsonl")
    code, said = said_by(driver, tmp_path, *arguments, torch=tmp_path / "lib")
    assert code == 2
    assert "none.jsonl" in said
    assert "torch" not in said
