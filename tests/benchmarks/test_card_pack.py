"""Gathering a pack: what a machine is given, what it lacks, whom a requirement is for."""

import zipfile
from pathlib import Path

from benchmarks.card_pack import TAGS, Target, closure, requires


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
    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a-1.dist-info/METADATA", "Name: a\nRequires-Dist: b>=2\n\nA text.\n")
    assert requires(wheel) == ["b>=2"]
