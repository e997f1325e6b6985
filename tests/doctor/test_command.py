"""`doctor` as a person calls it: its lines, its object, its exit code."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.cli.doctor import lines_of
from autotune.cli.main import run
from autotune.doctor.examine import CHECKS
from autotune.doctor.finding import Finding, State
from autotune.doctor.machine import Machine
from tests.fakes.nvml import FakeNvml


@pytest.mark.parametrize("width", [120, 80, 40])
def test_a_line_keeps_within_the_terminal_and_a_command_in_one_piece(width: int) -> None:
    command = "python -m pip install torch --index-url https://download.pytorch.org/whl/cu130"
    finding = Finding(check="torch", state=State.BLOCKS, fact="word " * 40, remedy=command)
    lines = list(lines_of(finding, width))
    assert lines[0].startswith("blocks torch")
    assert all(len(line) <= width for line in lines[:-1])
    assert lines[-1].strip() == f"-> {command}"


def asked(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any], str]:
    code = run(["doctor", "--json", *more])
    captured = capsys.readouterr()
    return code, json.loads(captured.out), captured.err


def test_the_command_answers_with_one_object_and_the_code_of_what_is_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(CHECKS, "torch", lambda machine: None)
    monkeypatch.setattr("autotune.doctor.machine.open_nvml", FakeNvml)
    code, found, human = asked(capsys, "--profile", "cpu-smoke")
    assert (code, found["blocks"], found["profile"]) == (ExitCode.DONE, [], "cpu-smoke")
    assert "next: smolsft-autotune init" in human
    (tmp_path / "smolsft.toml").write_text("target = 0.3\n", encoding="utf-8")
    assert "next: smolsft-autotune inspect" in asked(capsys, "--profile", "cpu-smoke")[2]
    (tmp_path / "smolsft.toml").unlink()
    code, found, human = asked(capsys, "--profile", "rtx4060-laptop-8gb")
    assert code == ExitCode.ENVIRONMENT and found["blocks"][0] == "card"
    assert "in the way: card" in human


def test_what_is_found_is_said_before_what_takes_longer_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch takes seconds to load: until then a person reads what is known."""
    before: list[str] = []

    def slow(machine: Machine) -> None:
        before.append(capsys.readouterr().out)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(CHECKS, "torch", slow)
    monkeypatch.setattr("autotune.doctor.machine.open_nvml", FakeNvml)
    run(["doctor", "--profile", "cpu-smoke"])
    assert before and before[0].startswith("looking at this machine\nok     system")
    assert "card" in before[0] and "memory" not in before[0]
    after = " ".join(capsys.readouterr().out.split())
    assert "budget 4.00 GiB for the memory of the process (profile cpu-smoke)" in after


def test_looking_loads_no_torch() -> None:
    code = (
        "import sys\n"
        "from autotune.cli.main import run\n"
        "from autotune.doctor import examine\n"
        "examine.CHECKS['torch'] = lambda machine: None\n"
        "run(['doctor', '--profile', 'cpu-smoke'])\n"
        "print('torch' in sys.modules)\n"
    )
    root = Path(__file__).resolve().parents[2]
    command: Sequence[str] = (sys.executable, "-c", code)
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=False)
    assert done.stdout.splitlines()[-1] == "False", done.stderr
