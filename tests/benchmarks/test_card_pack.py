"""Gathering a pack: what a machine is given, what it lacks, whom a requirement is for."""

import importlib
import os
import sys
import zipfile
from pathlib import Path

import pytest

from benchmarks import card_pack
from benchmarks.card_checks import missing
from benchmarks.card_pack import TAGS, Target, closure, gather, requires


def save_wheel(folder: Path, name: str, *needs: str, tag: str = "py3-none-any") -> Path:
    """A wheel of one module that holds its own name."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-1.0-{tag}.whl"
    about = f"{name}-1.0.dist-info"
    described = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    described += "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = {
        f"{name}.py": f"NAME = {name!r}\n",
        f"{about}/METADATA": described,
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def test_what_a_given_package_needs_is_given_and_what_the_tool_needs_itself_is_not() -> None:
    given = closure(["pytest", "typer"])
    assert {"pytest", "pluggy", "iniconfig", "typer"} <= given
    # The newest typer brings pydantic; the machine's may not.
    assert "pydantic" not in given
    assert "pydantic" in closure(["typer", "pydantic"])


def test_a_requirement_is_for_the_machine_and_not_for_this_one() -> None:
    linux, windows = Target("3.12", "linux"), Target("3.12", "windows")
    assert not linux.needs('colorama; sys_platform == "win32"')
    assert windows.needs('colorama; sys_platform == "win32"')
    assert linux.needs('x; python_version >= "3.12"')
    assert not Target("3.11", "linux").needs('x; python_version >= "3.12"')
    assert not linux.needs("gradio; extra == 'gui'")


def test_wheels_are_asked_for_by_the_machines_python_and_system() -> None:
    options = Target("3.12", "windows").options()
    assert options[options.index("--python-version") + 1] == "3.12"
    assert options[options.index("--platform") + 1] == "win_amd64"
    assert Target("3.12", "linux").options().count("--platform") == len(TAGS["linux"])


def test_a_wheel_says_what_it_requires(tmp_path: Path) -> None:
    assert requires(save_wheel(tmp_path, "packed_a", "b>=2", "c")) == ["b>=2", "c"]


@pytest.mark.slow
def test_what_is_gathered_is_all_that_is_lacking_and_installs_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, pack, site = tmp_path / "index", tmp_path / "pack", tmp_path / "site"
    save_wheel(index, "packed_a", "packed-b", "pip", "no-such; os_name == 'nt'")
    save_wheel(index, "packed_b", tag="cp312-cp312-manylinux_2_28_x86_64")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    found = gather(["packed-a"], {"pip"}, Target("3.12", "linux"), pack)
    assert found == [
        "packed_a-1.0-py3-none-any.whl",
        "packed_b-1.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    ]
    missing.install([pack / found[0]], site)
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    assert importlib.import_module("packed_a").NAME == "packed_a"
    assert missing.missing(["packed-a"]).keys() == {"packed-b"}
    del sys.modules["packed_a"]


@pytest.mark.slow
def test_a_package_without_a_wheel_for_the_machine_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(save_wheel(tmp_path, "other").parent))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(SystemExit, match="no-such-package: no wheel for linux"):
        gather(["no-such-package"], set(), Target("3.12", "linux"), tmp_path / "pack")


def test_a_python_that_is_none_is_named_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["card_pack.py", str(tmp_path / "pack"), "--python", "abc"])
    with pytest.raises(SystemExit, match="2"):
        card_pack.main()
    assert "--python abc: must be major and minor, such as 3.12" in capsys.readouterr().err
    assert not (tmp_path / "pack").exists()
