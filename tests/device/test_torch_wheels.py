"""Which torch for which card, and the command that brings it."""

import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from autotune.device.torch_build import TorchBuild
from autotune.device.torch_wheels import (
    INDEXES,
    Installer,
    choose_index,
    driver_needed,
    installer,
    requirement,
)

BY_NAME = {index.name: index for index in INDEXES}
ADA, BLACKWELL, PASCAL, VOLTA, TURING = (8, 9), (12, 0), (6, 1), (7, 0), (7, 5)


@pytest.mark.parametrize(
    ("capability", "driver", "name"),
    [
        (ADA, "580.95.05", "cu130"),
        (ADA, "581.29", "cu130"),
        (ADA, "566.36", "cu128"),
        (TURING, "528.33", "cu128"),
        (BLACKWELL, "576.80", "cu128"),
        (BLACKWELL, "591.44", "cu130"),
        (PASCAL, "580.95.05", "cu126"),
        (VOLTA, "580.95.05", "cu126"),
        (ADA, None, "cu128"),
        (None, "580.95.05", "cu130"),
        (None, None, "cu128"),
    ],
)
def test_a_card_gets_the_newest_index_that_has_code_for_it_and_that_its_driver_runs(
    capability: tuple[int, int] | None, driver: str | None, name: str
) -> None:
    index = choose_index(capability, driver)
    assert index is not None
    assert index.name == name


def test_a_driver_too_old_for_all_gets_the_index_that_asks_least_of_the_next_one() -> None:
    index = choose_index(ADA, "471.11")
    assert index is not None
    assert index.driver == 525


def test_a_card_older_than_every_torch_gets_none() -> None:
    assert choose_index((3, 7), "470.10") is None


@pytest.mark.parametrize(
    ("cuda", "needed"), [("13.0", 580), ("12.6", 525), ("12.8", 525), ("11.8", 450), (None, None)]
)
def test_a_cuda_release_needs_the_driver_of_its_major_version(
    cuda: str | None, needed: int | None
) -> None:
    assert driver_needed(cuda) == needed


@pytest.mark.parametrize(
    ("version", "index", "asked"),
    [
        ("2.13.0+cpu", "cu130", "torch==2.13.0+cu130"),
        ("2.13.0", "cu126", "torch==2.13.0+cu126"),
        ("2.13.0+cpu", "cu128", '"torch<2.12"'),
        ("2.11.0+cu130", "cu128", "torch==2.11.0+cu128"),
        ("2.6.0+cpu", "cu130", '"torch>=2.9"'),
        ("2.15.0+cu132", "cu126", '"torch<2.15"'),
        ("2.14.0a0+git123", "cu130", "torch"),
    ],
)
def test_what_is_asked_for_is_never_what_is_installed(version: str, index: str, asked: str) -> None:
    said = requirement(TorchBuild(version, None), BY_NAME[index])
    assert said == asked
    bound = said.strip('"').removeprefix("torch")
    assert not bound or version not in SpecifierSet(bound, prereleases=True)


def test_without_a_torch_any_is_asked_for() -> None:
    assert requirement(None, BY_NAME["cu130"]) == "torch"


CU130 = "--index-url https://download.pytorch.org/whl/cu130"


@pytest.mark.parametrize(
    ("tool", "command"),
    [
        (Installer(False, ""), f"python -m pip install torch {CU130}"),
        (Installer(False, "/opt/env/bin/python"), "/opt/env/bin/python -m pip install torch"),
        (Installer(True, ""), f"uv pip install torch {CU130}"),
        (Installer(True, "/a b/python"), f'uv pip install --python "/a b/python" torch {CU130}'),
    ],
)
def test_the_command_is_the_one_that_this_environment_knows(tool: Installer, command: str) -> None:
    assert tool.command("torch", BY_NAME["cu130"]).startswith(command)


def test_a_path_with_a_space_is_called_as_powershell_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    command = Installer(False, r"C:\my env\python.exe").command("torch", BY_NAME["cu130"])
    assert command.startswith(r'& "C:\my env\python.exe" -m pip install torch')


def test_an_environment_of_uv_is_known_by_its_file_or_by_the_lack_of_pip(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.9.1\n", encoding="utf-8")
    active = {"VIRTUAL_ENV": str(tmp_path)}
    assert installer(tmp_path, active, has_pip=True) == Installer(True, "")
    assert installer(tmp_path, {}, has_pip=True) == Installer(True, sys.executable)
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/uv = 1/bin\n", encoding="utf-8")
    assert installer(tmp_path, active, has_pip=False).uv
    assert not installer(tmp_path, active, has_pip=True).uv


def test_a_python_that_is_not_the_one_on_the_path_is_named(tmp_path: Path) -> None:
    here = {"PATH": str(Path(sys.executable).parent)}
    assert installer(tmp_path, here, has_pip=True).python == ""
    assert installer(tmp_path, {"PATH": str(tmp_path)}, has_pip=True).python == sys.executable
