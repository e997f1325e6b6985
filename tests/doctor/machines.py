"""Machines that `doctor` may meet, made up: for its tests, and for what docs/screens.md shows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from autotune.base.sizes import GIB, MIB
from autotune.config.load import find_profile
from autotune.device.nvml_port import Card, CardState, DeviceUser
from autotune.device.torch_build import TorchBuild
from autotune.doctor.examine import CHECKS
from autotune.doctor.finding import Finding
from autotune.doctor.machine import Machine, look
from autotune.launch import JobResult
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.throttle import Throttle
from autotune.sources.reachable import HubAnswer
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
    answer: CardAnswer | None = None,
    card: Card = LAPTOP,
    state: CardState = COOL,
    users: tuple[DeviceUser, ...] = (DeviceUser(4711, "chrome", 700 * MIB),),
    **more: Any,
) -> Machine:
    """A laptop with a card, of which a worker gives this answer."""
    given = answer or CardAnswer(torch="2.13.0+cu130", cuda="13.0", fused=True)

    def script(job: Any) -> Any:
        Path(job.out).write_text(given.model_dump_json(), encoding="utf-8")
        return (), JobResult(None, "", 0.0)

    nvml = FakeNvml([card], given_users={0: users}, given_state={0: state})
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

HOLDS = DeviceUser(5120, "game.exe", 5 * GIB)

SHOWN: dict[str, Callable[[], Machine]] = {
    "torch without CUDA": lambda: replace(on_card(), build=WITHOUT_CUDA),
    "a driver that is too old": lambda: on_card(OLD_DRIVER, replace(LAPTOP, driver="470.103.01")),
    "a card that another program holds": lambda: on_card(
        card=replace(LAPTOP, free_bytes=2 * GIB), users=(HOLDS,)
    ),
    "on battery": lambda: on_card(battery=True),
    "Windows, whose driver lends a full card memory of the computer": lambda: on_card(lends=True),
    "hot, and throttled": lambda: on_card(state=HOT),
}
"""Troubles of a laptop with a card, by what they are called in docs/screens.md."""
