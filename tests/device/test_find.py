"""Choosing a device and a budget, on machines with and without cards."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.sizes import GIB, MIB
from autotune.device.find import find_device, show_bytes
from autotune.device.nvml import Nvml
from autotune.device.nvml_port import Card, CardState, DeviceUser, NvmlPort, NvmlUnavailable
from tests.fakes.nvml import FakeNvml

LAPTOP = Card(0, "NVIDIA GeForce RTX 4060 Laptop GPU", "GPU-aaa1", 8 * GIB, 7 * GIB, "580.1")
SECOND = Card(1, "NVIDIA RTX 3050", "GPU-bbb2", 4 * GIB, 3 * GIB, "580.1")
SILENT = Card(0, "NVIDIA GB10", None, None, None, None)

ONE = FakeNvml([LAPTOP])
TWO = FakeNvml([LAPTOP, SECOND])


def test_a_machine_with_a_card_gets_the_card_with_its_uuid_and_what_is_free() -> None:
    found = find_device("auto", ONE, {})
    assert (found.kind, found.name, found.uuid) == ("cuda", LAPTOP.name, "GPU-aaa1")
    assert (found.total_bytes, found.free_bytes, found.driver) == (8 * GIB, 7 * GIB, "580.1")
    assert found.note is None


@pytest.mark.parametrize(
    ("capability", "bf16"), [((8, 9), True), ((8, 0), True), ((7, 5), False), (None, False)]
)
def test_cards_since_ampere_compute_in_bf16_and_who_does_not_say_counts_as_older(
    capability: tuple[int, int] | None, bf16: bool
) -> None:
    card = replace(LAPTOP, capability=capability)
    assert find_device("auto", FakeNvml([card]), {}).bf16 is bf16


def test_a_machine_without_a_driver_gets_the_cpu_with_its_memory_and_the_reason() -> None:
    found = find_device("auto", FakeNvml(problem="no NVIDIA driver is installed"), {})
    assert found.kind == "cpu"
    assert found.name
    assert found.total_bytes is not None and found.total_bytes > GIB // 4
    assert found.free_bytes is not None and 0 < found.free_bytes <= found.total_bytes
    assert found.note == "no NVIDIA driver is installed"


def test_cuda_on_a_machine_without_a_card_is_refused_with_the_reason() -> None:
    broken = FakeNvml(problem="the NVIDIA driver does not answer (version mismatch)")
    with pytest.raises(EnvironmentFault, match=r"version mismatch.*use --device cpu"):
        find_device("cuda", broken, {})
    with pytest.raises(EnvironmentFault, match="no NVIDIA card"):
        find_device("cuda:0", FakeNvml(), {})


def test_a_driver_or_a_card_that_does_not_answer_is_never_passed_over_for_the_cpu() -> None:
    mute = FakeNvml(problem="the NVIDIA driver does not answer (Unknown Error)", is_fault=True)
    lost = FakeNvml([replace(LAPTOP, total_bytes=None, free_bytes=None, problem="GPU is lost")])
    for nvml, words in ((mute, "Unknown Error"), (lost, "the driver reports: GPU is lost")):
        for choice in ("auto", "cuda", "cuda:0"):
            with pytest.raises(EnvironmentFault) as refused:
                find_device(choice, nvml, {})
            assert words in str(refused.value)
            assert "--device cpu" in str(refused.value)
            assert "--vram-budget" not in str(refused.value)
        assert find_device("cpu", nvml, {}).kind == "cpu"


def test_another_card_than_the_lost_one_is_taken_where_it_is_named() -> None:
    lost = replace(LAPTOP, problem="GPU is lost")
    assert find_device("cuda:1", FakeNvml([lost, SECOND]), {}).uuid == "GPU-bbb2"
    assert find_device("auto", FakeNvml([lost, SECOND]), {"CUDA_VISIBLE_DEVICES": "1"}).index == 1


def test_figures_that_were_not_believed_are_said_with_the_device() -> None:
    doubted = replace(LAPTOP, free_bytes=None, doubt="the driver's figures cannot be true (...)")
    found = find_device("auto", FakeNvml([doubted]), {})
    assert (found.kind, found.free_bytes) == ("cuda", None)
    assert found.note == "the driver's figures cannot be true (...); they count as unknown"


def test_a_card_is_chosen_by_number_and_a_number_too_high_names_the_bound() -> None:
    assert find_device("cuda:1", TWO, {}).uuid == "GPU-bbb2"
    with pytest.raises(BadInput, match=r"cuda:2: this machine has 2 usable card\(s\).*to cuda:1"):
        find_device("cuda:2", TWO, {})
    with pytest.raises(BadInput, match=r"has 1 usable card\(s\), counted from 0; use cuda$"):
        find_device("cuda:3", FakeNvml([LAPTOP]), {})


@pytest.mark.parametrize("choice", ["gpu", "cuda:", "cuda:-1", "cuda:x", "", "cuda:²", "CPU"])
def test_any_other_device_is_refused_with_the_rule(choice: str) -> None:
    with pytest.raises(BadInput, match="must be auto, cuda, cuda:N"):
        find_device(choice, TWO, {})


@pytest.mark.parametrize(
    ("visible", "uuid"),
    [("1", "GPU-bbb2"), ("1,0", "GPU-bbb2"), ("GPU-b", "GPU-bbb2"), ("0,7", "GPU-aaa1")],
)
def test_only_cards_that_cuda_would_see_are_taken(visible: str, uuid: str) -> None:
    assert find_device("auto", TWO, {"CUDA_VISIBLE_DEVICES": visible}).uuid == uuid


@pytest.mark.parametrize("visible", ["", "-1", "7,0", "GPU-"])
def test_cards_that_the_person_hid_are_not_taken(visible: str) -> None:
    found = find_device("auto", TWO, {"CUDA_VISIBLE_DEVICES": visible})
    assert found.kind == "cpu"
    assert found.note is not None and "CUDA_VISIBLE_DEVICES" in found.note


def test_cpu_is_cpu_even_beside_a_card_and_asks_no_driver() -> None:
    found = find_device("cpu", FakeNvml([LAPTOP], problem="must not be asked"), {})
    assert (found.kind, found.note) == ("cpu", None)


def test_a_driver_that_tells_nothing_gives_unknowns_not_zeros() -> None:
    users = {0: [DeviceUser(77, None, None)]}
    found = find_device("auto", FakeNvml([SILENT], users), {})
    assert (found.uuid, found.total_bytes, found.free_bytes, found.driver) == (None,) * 4
    assert found.users == (DeviceUser(77, None, None),)
    assert show_bytes(found.free_bytes) == "not reported"
    assert FakeNvml([SILENT]).state(0) == CardState(None, None, None, None, None)


def test_the_real_library_answers_or_says_why_not_and_warns_of_nothing() -> None:
    nvml: NvmlPort = Nvml()
    try:
        cards = nvml.cards()
    except NvmlUnavailable as error:
        assert "NVIDIA driver" in str(error)
        return
    for card in cards:
        assert card.total_bytes is None or card.total_bytes > 0
        assert all(user.bytes is None or user.bytes >= 0 for user in nvml.users(card.index))
        assert nvml.state(card.index).used_bytes != 0


LOOKING = """
import sys
from autotune.device.find import find_device
from autotune.device.budget import auto_budget, budget_sentence
from tests.fakes.nvml import FakeNvml
from autotune.device.nvml_port import Card
from autotune.train.peak_check import watch_other_processes
nvml = FakeNvml([Card(0, "card", None, 2**33, 2**32, None)])
card = find_device("auto", nvml, {})
budget_sentence(auto_budget(card, "auto", "512MiB"), card)
watch_other_processes(card, nvml).look()
find_device("auto")  # the real driver, or none
print(sorted({"torch", "cuda"} & set(sys.modules)))
"""


def test_looking_at_a_card_loads_no_torch_so_it_can_make_no_context_there() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOKING],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_the_library_that_asks_the_driver_gives_no_warning_of_its_successor() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import pynvml; print(pynvml.__doc__ is None)"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    wanted = {line.split(">")[0].split("<")[0].split("=")[0] for line in requirements()}
    assert "nvidia-ml-py" in wanted
    assert "pynvml" not in wanted  # the package of that name is the one that warns


def requirements() -> list[str]:
    """What the project depends on, from its own description."""
    import tomllib

    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    found: list[str] = tomllib.loads(text)["project"]["dependencies"]
    return found


class Refused(Exception):
    """What the library raises where a card has no such value."""


def library(**answers: object) -> SimpleNamespace:
    """A started library of one card that refuses whatever it was given no answer for."""

    def ask(name: str) -> Callable[..., object]:
        def answer(*arguments: object) -> object:
            if name not in answers:
                raise Refused("refused")
            return answers[name]

        return answer

    names = [
        *("SystemGetDriverVersion", "DeviceGetCount", "DeviceGetHandleByIndex", "DeviceGetName"),
        *("DeviceGetUUID", "DeviceGetMemoryInfo", "DeviceGetComputeRunningProcesses"),
        *("DeviceGetGraphicsRunningProcesses", "DeviceGetCurrentClocksThrottleReasons"),
        *("DeviceGetTemperature", "DeviceGetPowerUsage", "DeviceGetEnforcedPowerLimit"),
        "DeviceGetCudaComputeCapability",
    ]
    functions = {f"nvml{name}": ask(name) for name in names}
    constants = {"NVML_TEMPERATURE_GPU": 0, "nvmlClocksEventReasonSwPowerCap": 4}
    return SimpleNamespace(NVMLError=Refused, **functions, **constants)


def test_whatever_the_library_refuses_is_unknown() -> None:
    silent = Nvml(library(DeviceGetCount=1, DeviceGetHandleByIndex=object()))
    assert silent.cards() == (Card(0, "NVIDIA card 0", None, None, None, None),)
    assert silent.users(0) == ()
    assert silent.state(0) == CardState(None, None, None, None, None)
    lost = Nvml(library(DeviceGetCount=1))
    assert lost.cards() == (Card(0, "NVIDIA card 0", None, None, None, None, problem="refused"),)
    assert lost.users(0) == ()
    assert lost.state(0) == CardState(None, None, None, None, None)


def test_what_the_library_answers_is_taken_and_hidden_process_memory_stays_unknown() -> None:
    seen = SimpleNamespace(pid=os.getpid(), usedGpuMemory=None)
    told = SimpleNamespace(pid=os.getpid(), usedGpuMemory=5 * MIB)
    hidden = SimpleNamespace(pid=2**31 - 9, usedGpuMemory=2**64 - 1)
    nvml = Nvml(
        library(
            DeviceGetCount=1,
            DeviceGetHandleByIndex=object(),
            SystemGetDriverVersion=b"580.1",
            DeviceGetName=LAPTOP.name,
            DeviceGetUUID="GPU-aaa1",
            DeviceGetMemoryInfo=SimpleNamespace(total=8 * GIB, free=7 * GIB, used=GIB),
            DeviceGetComputeRunningProcesses=[seen, hidden],
            DeviceGetGraphicsRunningProcesses=[told],
            DeviceGetCurrentClocksThrottleReasons=4,
            DeviceGetPowerUsage=35_500,
        ),
        local_pids=True,
    )
    assert nvml.cards() == (LAPTOP,)
    mine, other = nvml.users(0)
    assert (mine.pid, mine.bytes) == (os.getpid(), 5 * MIB)
    assert mine.name is not None
    assert other == DeviceUser(2**31 - 9, None, None)
    assert nvml.state(0) == CardState(GIB, None, 35.5, None, ("power limit",))


@pytest.mark.gpu
def test_a_real_card_is_found_with_its_figures() -> None:
    found = find_device("auto")
    assert found.kind == "cuda"
    assert found.uuid is not None and found.uuid.startswith("GPU-")
    assert found.free_bytes is not None and found.total_bytes is not None
    assert 0 < found.free_bytes <= found.total_bytes
    assert found.doubt is None
