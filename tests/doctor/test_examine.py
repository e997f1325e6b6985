"""`doctor`'s findings: what blocks, what is a note, and what mends it, one machine at a time."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.base.sizes import GIB, MIB
from autotune.cli.doctor import lines_of
from autotune.cli.main import run
from autotune.config.load import find_profile
from autotune.device.nvml_port import Card, CardState, DeviceUser
from autotune.device.torch_build import TorchBuild
from autotune.doctor.examine import CHECKS, examine
from autotune.doctor.finding import Finding, State
from autotune.doctor.machine import Machine, look
from autotune.doctor.torch_import import import_torch
from autotune.launch import JobResult
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.throttle import Throttle
from autotune.sources.reachable import HubAnswer, ask_hub
from tests.fakes.nvml import FakeNvml
from tests.fakes.runner import FakeRunner

LAPTOP = Card(
    0,
    "NVIDIA GeForce RTX 4060 Laptop GPU",
    "GPU-aaa1",
    8 * GIB,
    7 * GIB,
    "580.95.05",
    capability=(8, 9),
)
COOL = CardState(GIB, 45, 20.0, 80.0, ())
WITH_CUDA = TorchBuild("2.13.0+cu130", "13.0")


def on_card(
    answer: CardAnswer | None = None, card: Card = LAPTOP, state: CardState = COOL, **more: Any
) -> Machine:
    """A laptop with a card, of which a worker gives this answer."""
    given = answer or CardAnswer(torch="2.13.0+cu130", cuda="13.0", fused=True)

    def script(job: Any) -> Any:
        Path(job.out).write_text(given.model_dump_json(), encoding="utf-8")
        return (), JobResult(None, "", 0.0)

    users = {0: [DeviceUser(4711, "chrome", 700 * MIB)]}
    nvml = FakeNvml([card], given_users=users, given_state={0: state})
    found = look(find_profile("rtx4060-laptop-8gb"), "auto", nvml=nvml, environ={})
    return usual(found, runner=FakeRunner(script), build=WITH_CUDA, **more)


def without_card(problem: str = "no NVIDIA driver is installed", **more: Any) -> Machine:
    nvml = FakeNvml(problem=problem, is_fault=more.pop("is_fault", False))
    profile = find_profile(more.pop("profile", "cpu-smollm2"))
    return usual(look(profile, "auto", nvml=nvml, environ={}), **more)


def usual(machine: Machine, **more: Any) -> Machine:
    """The machine with plenty of everything, but for what is given."""
    plenty: dict[str, Any] = {
        "has_torch": True,
        "build": TorchBuild("2.13.0+cpu", None),
        "battery": False,
        "lends": False,
        "memory_bytes": 32 * GIB,
        "available_bytes": 20 * GIB,
        "disk_bytes": 500 * GIB,
        "encoding": "utf-8",
        "hub": lambda: HubAnswer("huggingface.co", seconds=0.1),
        "try_torch": lambda: "",
    }
    if machine.device is not None and machine.device.kind == "cpu":
        device = replace(machine.device, total_bytes=32 * GIB, free_bytes=20 * GIB, bf16=False)
        plenty["device"] = device
    return replace(machine, **{**plenty, **more})


def of(check: str, machine: Machine) -> list[Finding]:
    found = CHECKS[check](machine)
    return list(found) if isinstance(found, tuple) else [found] if found else []


def test_nothing_is_in_the_way_of_a_good_machine_and_every_remedy_is_for_something() -> None:
    for machine in (on_card(), without_card()):
        found = examine(machine).findings
        assert not [each for each in found if each.state is State.BLOCKS]
        assert not [each for each in found if each.state is State.OK and each.remedy]
        assert not [each for each in found if "could not be looked at" in each.fact]


NO_CODE = CardAnswer(
    torch="2.13.0+cu130",
    cuda="13.0",
    problem="CUDA error: no kernel image is available for execution on the device",
    arch_list=("sm_90",),
)
OLD_DRIVER = CardAnswer(
    torch="2.13.0+cu130",
    cuda="13.0",
    problem="The NVIDIA driver on your system is too old (found version 11040).",
)
WITHOUT_CUDA = TorchBuild("2.13.0+cpu", None)
LOST = replace(LAPTOP, total_bytes=None, free_bytes=None, problem="GPU is lost")
HOT = replace(COOL, celsius=93, throttled=(Throttle.HEAT, Throttle.POWER))

MACHINES: list[tuple[str, Callable[[], Machine], str, str, str]] = [
    ("card", on_card, "ok", "RTX 4060 Laptop GPU, 8.00 GiB, driver 580.95.05, capability 8.9", ""),
    ("card", without_card, "note", "the CPU computes, ", ""),
    (
        "card",
        lambda: without_card("the driver does not answer", is_fault=True),
        "blocks",
        "the driver does not answer",
        "--device cpu",
    ),
    (
        "card",
        lambda: on_card(card=LOST),
        "blocks",
        "the driver reports: GPU is lost",
        "restart the computer",
    ),
    (
        "card",
        lambda: without_card(profile="rtx4060-laptop-8gb"),
        "blocks",
        "profile rtx4060-laptop-8gb is for an NVIDIA card, and there is none",
        "--profile cpu-smollm2",
    ),
    ("torch", on_card, "ok", "built with CUDA 13.0, computes on the RTX 4060 Laptop", ""),
    ("torch", without_card, "ok", "torch 2.13.0+cpu loads", ""),
    (
        "torch",
        lambda: replace(on_card(), build=WITHOUT_CUDA),
        "blocks",
        "it was built without CUDA",
        "torch==2.13.0+cu130 --index-url https://download.pytorch.org/whl/cu130",
    ),
    (
        "torch",
        lambda: on_card(NO_CODE),
        "blocks",
        "it has no code for a card of capability 8.9, only sm_90",
        "pip install",
    ),
    (
        "torch",
        lambda: on_card(OLD_DRIVER, replace(LAPTOP, driver="470.1")),
        "blocks",
        "needs an NVIDIA driver from 580 on, this is 470.1",
        "https://www.nvidia.com/drivers",
    ),
    ("torch", lambda: on_card(has_torch=False), "blocks", "not installed", "whl/cu130"),
    ("torch", lambda: without_card(has_torch=False), "blocks", "not installed", "whl/cpu"),
    (
        "torch",
        lambda: without_card(try_torch=lambda: "OSError: [WinError 126] no fbgemm.dll"),
        "blocks",
        "does not load: OSError: [WinError 126]",
        "Microsoft Visual C++ Redistributable",
    ),
    ("memory", on_card, "ok", "also on the card: chrome 4711 (700 MiB)", ""),
    (
        "memory",
        lambda: on_card(card=replace(LAPTOP, free_bytes=5 * GIB)),
        "note",
        "3.00 GiB of 8.00 GiB are taken",
        "close the programs",
    ),
    (
        "memory",
        lambda: on_card(card=replace(LAPTOP, free_bytes=300 * MIB)),
        "blocks",
        "in use by chrome 4711",
        "close other programs",
    ),
    (
        "memory",
        lambda: on_card(card=replace(LAPTOP, free_bytes=None)),
        "blocks",
        "does not report how much memory is free",
        "--vram-budget 7GiB",
    ),
    ("memory", without_card, "ok", "budget 6.00 GiB for the memory of the process", ""),
    ("precision", on_card, "ok", "bf16 at full speed; profile rtx4060-laptop-8gb takes fp16", ""),
    ("spilling", on_card, "ok", "a full card raises an error", ""),
    ("spilling", lambda: on_card(lends=True), "note", "10 to 300 times slower", "Sysmem Fallback"),
    ("clock", on_card, "ok", "not throttled (45 °C, 20 W)", ""),
    (
        "clock",
        lambda: on_card(state=HOT),
        "note",
        "throttled by temperature or power limit (93 °C, 20 W)",
        "let it cool",
    ),
    ("power", lambda: on_card(battery=True), "note", "on battery", "plug it in"),
    ("power", lambda: on_card(battery=None), "ok", "no battery", ""),
    ("computer", lambda: on_card(available_bytes=GIB), "note", "1.00 GiB of 32.00", "close other"),
    (
        "disk",
        lambda: on_card(disk_bytes=GIB),
        "blocks",
        "1.00 GiB free; a run of SmolLM2-135M needs ",
        "--run-dir",
    ),
    (
        "hub",
        lambda: on_card(hub=lambda: HubAnswer("huggingface.co", "HF_HUB_OFFLINE is set")),
        "note",
        "offline: HF_HUB_OFFLINE is set",
        "",
    ),
    ("scorer", without_card, "ok", "ifeval judges answers", ""),
    ("terminal", lambda: on_card(encoding="cp1252"), "note", "cp1252 lacks", "PYTHONUTF8=1"),
    ("terminal", lambda: on_card(encoding="UTF8"), "ok", "utf-8", ""),
]
"""The check, a machine, and what it finds: its state, a part of the fact and of the remedy."""


@pytest.mark.parametrize(("check", "machine", "state", "fact", "remedy"), MACHINES)
def test_a_check_finds_what_is_there_and_names_what_mends_it(
    check: str, machine: Callable[[], Machine], state: str, fact: str, remedy: str
) -> None:
    first, *_ = of(check, machine())
    assert (first.check, first.state) == (check, state), first
    assert fact in first.fact
    assert remedy in (first.remedy or "") and bool(first.remedy) == bool(remedy)


@pytest.mark.parametrize(
    ("fused", "state", "words"),
    [(True, "ok", "grows with the tokens"), (False, "note", "square"), (None, "note", "not tried")],
)
def test_the_kernel_of_attention_is_what_the_worker_found(
    fused: bool | None, state: str, words: str
) -> None:
    answer = CardAnswer(torch="2.13.0+cu130", cuda="13.0", fused=fused)
    _, attention = of("torch", on_card(answer))
    assert (attention.check, attention.state) == ("attention", state)
    assert words in attention.fact


def test_checks_of_a_card_say_nothing_where_there_is_none() -> None:
    assert [name for name in CHECKS if not of(name, without_card())] == ["spilling", "clock"]


def test_offline_the_sources_that_are_not_here_are_named_with_what_to_give(tmp_path: Path) -> None:
    away = HubAnswer("huggingface.co", "no connection")
    machine = without_card(hub=lambda: away)
    profile = machine.profile
    model = profile.model.model_copy(update={"source": "no/such-model"})
    machine = replace(machine, profile=profile.model_copy(update={"model": model}))
    (found,) = of("sources", machine)
    assert found.state is State.NOTE
    assert "no/such-model" in found.fact and "--model FOLDER" in (found.remedy or "")
    here = profile.model_copy(
        update={
            "model": profile.model.model_copy(update={"source": "demo"}),
            "data": profile.data.model_copy(update={"source": "demo"}),
        }
    )
    (found,) = of("sources", replace(machine, profile=here))
    assert found.state is State.OK


def test_a_check_that_fails_is_a_note_and_the_others_are_still_made() -> None:
    def broken() -> HubAnswer:
        raise RuntimeError("of a kind that nobody thought of")

    found = {each.check: each for each in examine(on_card(hub=broken)).findings}
    assert found["hub"].state is State.NOTE
    assert "could not be looked at (RuntimeError: of a kind" in found["hub"].fact
    assert found["terminal"].state is State.OK


def hangs(address: tuple[str, int], seconds: float) -> None:
    time.sleep(30)


def refuses(address: tuple[str, int], seconds: float) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize(
    ("environ", "connect", "why"),
    [
        ({}, refuses, "no connection to huggingface.co (Connection refused)"),
        ({"HF_ENDPOINT": "https://mirror.example"}, refuses, "no connection to mirror.example"),
        ({"HF_HUB_OFFLINE": "yes"}, refuses, "HF_HUB_OFFLINE is set"),
        ({"HF_ENDPOINT": "nonsense"}, refuses, "HF_ENDPOINT nonsense has no host"),
        ({}, hangs, "no connection to huggingface.co within 0.2 s"),
    ],
)
def test_a_hub_out_of_reach_is_a_fact_within_the_time_that_it_has(
    environ: dict[str, str],
    connect: Callable[[tuple[str, int], float], None],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("autotune.sources.reachable.CONNECT_SECONDS", 0.2)
    monkeypatch.setattr("autotune.sources.reachable._proxy", lambda host, scheme: None)
    begun = time.monotonic()
    answer = ask_hub(environ, connect)()
    assert why in answer.why and not answer.is_reachable
    assert time.monotonic() - begun < 5
    assert ask_hub({}, lambda address, seconds: None)().is_reachable


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("pass", ""),
        ("import no_such_torch", "ModuleNotFoundError: No module named 'no_such_torch'"),
        ("import os; os._exit(7)", "the process that loads it ended with code 7"),
    ],
)
def test_a_torch_that_does_not_load_is_quoted(program: str, problem: str) -> None:
    assert import_torch((sys.executable, "-c", program)).startswith(problem)


def test_a_torch_that_loads_slowly_is_no_broken_one() -> None:
    def slow() -> str:
        return import_torch((sys.executable, "-c", "import time; time.sleep(60)"), 0.1)

    (found,) = of("torch", without_card(try_torch=slow))
    assert found.state is State.NOTE
    assert "is still loading after 0.1 s" in found.fact
    assert "pip" not in (found.remedy or "")


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
    code, found, human = asked(capsys, "--profile", "rtx4060-laptop-8gb")
    assert (code, found["blocks"]) == (ExitCode.ENVIRONMENT, ["card"])
    assert "in the way: card" in human


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
