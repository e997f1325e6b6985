"""The command for a bare machine with a card: what is missing, what is carried, how steps end.

Steps are played by a small script in place of the checks; the rehearsal runs the real ones.
"""

import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks import card
from benchmarks.card_checks import missing, pack
from benchmarks.card_checks.asked import Outcome
from benchmarks.card_checks.caller import Caller
from benchmarks.card_checks.peaks import multiplying_weights, peak_flops, training_flops
from benchmarks.card_checks.processes import TimeIsUp, run_limited
from benchmarks.card_checks.record import Record
from benchmarks.card_checks.steps import PART_MINUTES, PREPARE_SECONDS, STEPS, Step, find
from benchmarks.fit import ARCHITECTURE

PLAYED = """
import json, os, pathlib, signal, sys, time
name, ask = sys.argv[-2:]
result = pathlib.Path(ask).with_name("result.json")
def write(**tree):
    result.write_text(json.dumps({"figures": {"seen": name}} | tree))
if name == "inputs":
    if "inputs" in pathlib.Path(__file__).with_name("breaks").read_text().split():
        write(outcome="failed", line="no card")
    else:
        write(outcome="passed", figures={"given": {"model": "m"}, "machine": "here"})
elif name in pathlib.Path(__file__).with_name("hangs").read_text().split():
    write()
    time.sleep(60)
elif name in pathlib.Path(__file__).with_name("breaks").read_text().split():
    sys.exit("the card fell out")
elif name in pathlib.Path(__file__).with_name("stops").read_text().split():
    write()
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
else:
    write(outcome="passed", line=f"{name} is well")
"""


def play(folder: Path, **roles: str) -> Path:
    script = folder / "played.py"
    script.write_text(PLAYED, encoding="utf-8")
    for role in ("hangs", "breaks", "stops"):
        (folder / role).write_text(roles.get(role, ""), encoding="utf-8")
    return script


def caller(folder: Path, script: Path, minutes: float = 6.0, **changes: Any) -> Caller:
    asked = {"minutes": minutes, "again": False, "rehearse": True, "device": "cuda"}
    asked |= {"data": "", "prompts": "", "pack": None, "model": None}
    return Caller(
        Namespace(**(asked | changes)),
        Record(folder / "card.json", rehearsal=True),
        folder / "work",
        folder / "site",
        command=(sys.executable, str(script)),
    )


def outcomes(folder: Path) -> dict[str, str]:
    tree = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return {name: step["outcome"] for name, step in tree["steps"].items()}


PART_1 = [step for step in STEPS if step.part == 1]


def test_a_hung_and_a_broken_step_leave_their_figures_and_the_others_their_time(
    tmp_path: Path,
) -> None:
    script = play(tmp_path, hangs="nvml", breaks="plan")
    shares = {"nvml": 40.0, "plan": 100.0, "probe": 100.0, "kill": 100.0}
    steps = [Step(name, 1, seconds, "?") for name, seconds in shares.items()]
    caller(tmp_path, script, minutes=0.3).do_part(steps)
    assert [*outcomes(tmp_path).items()] == [
        ("nvml", "timed out"),
        ("plan", "crashed"),
        ("probe", "passed"),
        ("kill", "passed"),
    ]
    tree = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert tree["steps"]["nvml"]["figures"] == {"seen": "nvml"}
    assert "the card fell out" in tree["steps"]["plan"]["line"]
    assert tree["machine"] == "here"


def test_a_later_call_asks_only_what_has_no_answer_and_the_hung_one_last(tmp_path: Path) -> None:
    steps = [find(name) for name in ("kernels", "nvml", "plan")]
    record = Record(tmp_path / "card.json", rehearsal=True)
    record.keep(steps[0], {"outcome": Outcome.TIMED_OUT}, 1, 1)
    record.keep(steps[1], {"outcome": Outcome.FAILED}, 1, 1)
    later = Record(tmp_path / "card.json", rehearsal=True)
    assert [s.name for s in later.open_steps(steps, again=False)] == ["plan", "kernels"]
    assert later.open_steps(steps, again=True) == steps
    caller(tmp_path, play(tmp_path)).do_part(steps)
    assert outcomes(tmp_path) == {"kernels": "passed", "nvml": "failed", "plan": "passed"}


def test_a_part_ends_with_its_time_and_what_was_not_asked_stays_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [Step("kernels", 1, 360.0, "?"), Step("nvml", 1, 300.0, "?")]
    caller(tmp_path, play(tmp_path, hangs="kernels"), minutes=0.05).do_part(steps)
    assert outcomes(tmp_path) == {"kernels": "timed out"}
    assert "nvml: no time left" in capsys.readouterr().err


def test_without_a_card_no_step_is_asked_and_the_reason_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not caller(tmp_path, play(tmp_path, breaks="inputs")).do_part(PART_1)
    assert capsys.readouterr().err == "no card\n"
    assert not (tmp_path / "card.json").exists()


def test_the_shares_of_a_part_add_up_to_its_minutes() -> None:
    for part in (1, 2):
        shares = sum(step.seconds for step in STEPS if step.part == part)
        assert shares + PREPARE_SECONDS == pytest.approx(PART_MINUTES * 60)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send Ctrl-C to one other")
def test_a_step_counts_cards_in_the_drivers_order_as_a_worker_does(tmp_path: Path) -> None:
    script = play(tmp_path)
    assert caller(tmp_path, script).environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """A shell's background shields these tests from it; what a terminal starts heeds it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="sends this process the signal of Ctrl-C")
@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_ends_the_step_and_leaves_the_record_whole(tmp_path: Path) -> None:
    script = play(tmp_path, stops="plan")
    with pytest.raises(KeyboardInterrupt):
        caller(tmp_path, script).do_part(PART_1)
    assert outcomes(tmp_path)["plan"] == "interrupted"
    assert "probe" not in outcomes(tmp_path)
    assert [
        s.name
        for s in Record(tmp_path / "card.json", rehearsal=True).open_steps(PART_1, again=False)
    ] == [
        "probe",
        "late_memory",
        "kill",
        "overflow",
        "plan",
    ]


def test_what_a_step_started_is_gone_with_it_even_from_a_group_of_its_own(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    grandchild = "import time; time.sleep(60)"
    child = (
        "import pathlib, subprocess, sys, time;"
        f" p = subprocess.Popen([sys.executable, '-c', {grandchild!r}],"
        " start_new_session=sys.platform != 'win32');"
        f" pathlib.Path({str(pid)!r}).write_text(str(p.pid)); time.sleep(60)"
    )
    with pytest.raises(TimeIsUp):
        run_limited(
            [sys.executable, "-c", child],
            seconds=6,  # enough for two interpreters to start on a busy machine
            log=tmp_path / "log.txt",
            cwd=tmp_path,
            environ=dict(os.environ),
        )
    left = int(pid.read_text(encoding="utf-8"))
    end = time.monotonic() + 10
    while psutil.pid_exists(left) and time.monotonic() < end:
        if psutil.Process(left).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    assert not psutil.pid_exists(left)


def test_a_record_of_another_kind_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text('{"mine": 1}', encoding="utf-8")
    with pytest.raises(ValueError, match="is no record of this command"):
        Record(path, rehearsal=False)


@pytest.mark.parametrize(("first", "later"), [("a rehearsal's", False), ("a card's", True)])
def test_a_rehearsals_answers_never_stand_for_a_cards(
    tmp_path: Path, first: str, later: bool
) -> None:
    path = tmp_path / "any.json"
    Record(path, rehearsal=not later).describe(rehearsal=not later)
    assert Record(path, rehearsal=not later).tree["rehearsal"] is not later
    with pytest.raises(ValueError, match=f"holds {first} answers; name another with --out"):
        Record(path, rehearsal=later)


def test_a_rehearsal_has_files_of_its_own() -> None:
    asked, rehearsed = card.parsed([]), card.parsed(["--rehearse"])
    assert (asked.out.name, asked.work.name) == ("card.json", "card-work")
    assert (rehearsed.out.name, rehearsed.work.name) == ("rehearsal.json", "rehearsal-work")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--device", "cpu"], "--device cpu: must be cuda or cuda:N; on a CPU: --rehearse"),
        (["--minutes", "0"], "--minutes 0: must be above 0"),
        (["--pack", "nowhere"], "--pack nowhere: no such folder"),
        (["--wheels", "nowhere"], "--wheels nowhere: no such folder"),
    ],
)
def test_a_mistake_is_said_before_any_step(
    capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        card.parsed(arguments)
    assert line in capsys.readouterr().err


def test_missing_packages_are_named_with_the_command_that_brings_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\ndependencies = ["no-such-package>=1", "psutil"]\n', "utf-8")
    monkeypatch.setattr(card, "ROOT", tmp_path)
    assert not card.have_packages(None, tmp_path / "site")
    said = capsys.readouterr().err
    assert "no-such-package: missing" in said
    assert "pip install no-such-package" in said


def test_a_package_that_is_too_old_is_missing_and_one_that_is_here_is_not() -> None:
    found = missing.missing(["psutil>=99", "pytest"])
    assert [*found] == ["psutil"]
    assert found["psutil"].endswith("psutil>=99 is needed")


def test_all_that_the_tool_requires_is_asked_for() -> None:
    names = {missing.name_of(text) for text in missing.requirements(card.ROOT)}
    assert {"torch", "langdetect", "nvidia-ml-py", "pytest", "hypothesis"} <= names


def test_wheels_are_found_by_name_however_it_is_spelt(tmp_path: Path) -> None:
    wheel = tmp_path / "nvidia_ml_py-13.0-py3-none-any.whl"
    wheel.touch()
    assert missing.wheels_for(["nvidia-ml-py", "torch"], tmp_path) == {"nvidia-ml-py": wheel}


def test_weights_travel_in_parts_and_are_joined_once_all_are_there(tmp_path: Path) -> None:
    source = tmp_path / "weights.gguf"
    source.write_bytes(bytes(range(256)) * 10)
    packed = pack.Pack(tmp_path / "pack")
    described = pack.split(source, packed.weights, part_bytes=1000)
    pack.describe(packed, weights=described)
    assert [part["bytes"] for part in described["parts"]] == [1000, 1000, 560]
    late = packed.weights / "weights.gguf.0002"
    data = late.read_bytes()
    late.unlink()
    assert packed.missing_parts() == ["weights.gguf.0002"]
    assert packed.join(tmp_path / "joined") is None
    late.write_bytes(data[:-1] + b"!")
    with pytest.raises(ValueError, match=r"weights\.gguf\.0002: has sha256"):
        packed.join(tmp_path / "joined")
    late.write_bytes(data)
    joined = packed.join(tmp_path / "joined")
    assert joined is not None
    assert joined.read_bytes() == source.read_bytes()
    late.unlink()
    assert packed.join(tmp_path / "joined") == joined, "once joined, the parts are needed no more"


def test_without_a_pack_there_are_no_weights_and_no_fault(tmp_path: Path) -> None:
    assert pack.Pack(tmp_path).join(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "processors", "capability", "mhz"),
    [
        ("NVIDIA H100 80GB HBM3", 132, (9, 0), 1830),
        ("NVIDIA A100-SXM4-40GB", 108, (8, 0), 1410),
        ("NVIDIA GeForce RTX 3090", 82, (8, 6), 1695),
        ("NVIDIA GeForce RTX 4090", 128, (8, 9), 2520),
        ("NVIDIA GeForce RTX 5090", 170, (12, 0), 2407),
    ],
)
def test_a_peak_that_is_computed_is_the_data_sheets(
    name: str, processors: int, capability: tuple[int, int], mhz: int
) -> None:
    named = peak_flops(name, processors, capability, mhz)
    computed = peak_flops("another card", processors, capability, mhz)
    assert named["source"].startswith("data sheet")
    assert computed["flops"] == pytest.approx(named["flops"], rel=0.01)


def test_a_laptops_card_is_not_taken_for_its_desktop_namesake() -> None:
    found = peak_flops("NVIDIA GeForce RTX 4090 Laptop GPU", 76, (8, 9), 2040)
    assert found["source"] == "76 multiprocessors at 2040 MHz"
    assert peak_flops("NVIDIA GeForce GTX 1080", 20, (6, 1), 1733) is None


def test_the_work_of_a_step_counts_every_matrix_and_half_of_the_attention() -> None:
    weights = multiplying_weights(ARCHITECTURE)
    # SmolLM2-135M has 134 515 008 parameters; 61 norms of 576 do not multiply.
    assert weights == 134_515_008 - 61 * 576
    # One row: 6 N T, and 6 T^2 a unit of width and layer.
    assert training_flops(ARCHITECTURE, [1024]) == 6 * weights * 1024 + 6 * 1024**2 * 576 * 30
    assert training_flops(ARCHITECTURE, [512, 512]) < training_flops(ARCHITECTURE, [1024])


def test_a_step_that_ends_by_itself_keeps_its_exit_code(tmp_path: Path) -> None:
    code = run_limited(
        [sys.executable, "-c", "raise SystemExit(7)"],
        seconds=30,
        log=tmp_path / "log.txt",
        cwd=tmp_path,
        environ=dict(os.environ),
    )
    assert code == 7


def test_ctrl_c_is_heard_within_a_second_also_where_a_wait_cannot_be_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows hands Ctrl-C to Python only once a wait for a process is over."""
    waits: list[float | None] = []
    wait = subprocess.Popen.wait

    def heard(process: "subprocess.Popen[bytes]", timeout: float | None = None) -> int:
        if process.poll() is None:
            waits.append(timeout)
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", heard)
    code = "import time; time.sleep(1.5)"
    where: dict[str, Any] = {
        "log": tmp_path / "log.txt",
        "cwd": tmp_path,
        "environ": dict(os.environ),
    }
    assert run_limited([sys.executable, "-c", code], seconds=60, **where) == 0
    assert len(waits) > 2
    assert all(timeout is not None and timeout <= 1 for timeout in waits)
    waits.clear()
    begin = time.monotonic()
    with pytest.raises(TimeIsUp):
        run_limited([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.7, **where)
    assert 0.7 <= time.monotonic() - begin < 30
