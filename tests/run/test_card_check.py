"""A card that torch cannot use: one line that says why and what to do, before any work."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.errors import EnvironmentFault, ExitCode
from autotune.base.sizes import GIB
from autotune.device.find import Device
from autotune.device.torch_build import TorchBuild
from autotune.device.torch_wheels import Installer
from autotune.launch import JobResult
from autotune.protocol.card_answer import CardAnswer
from autotune.protocol.events import WorkerEvent
from autotune.protocol.failure import Failure
from autotune.protocol.job import CheckJob, Job
from autotune.run.card_check import check_card, short_name
from tests import setups
from tests.fakes.runner import FakeRunner

LAPTOP = Device(
    kind="cuda",
    name="NVIDIA GeForce RTX 4060 Laptop GPU",
    index=0,
    uuid="GPU-aaa1",
    total_bytes=8 * GIB,
    free_bytes=7 * GIB,
    driver="580.95.05",
    capability=(8, 9),
)
CPU = replace(LAPTOP, kind="cpu", name="CPU", driver=None, capability=None)
BUILT = TorchBuild("2.13.0+cu130", "13.0")
PIP = Installer(False, "")
WELL = CardAnswer(
    torch="2.13.0+cu130", cuda="13.0", name=LAPTOP.name, capability=(8, 9), free_bytes=6 * GIB
)


def playing(answer: CardAnswer | None, ending: JobResult | None = None) -> FakeRunner:
    """A runner whose worker answers this, or dies without a word."""

    def script(job: Job) -> tuple[Iterable[WorkerEvent], JobResult]:
        assert isinstance(job, CheckJob)
        if answer is not None:
            Path(job.out).write_text(answer.model_dump_json(), encoding="utf-8")
        return (), ending or setups.done()

    return FakeRunner(script)


def refused(
    answer: CardAnswer | None,
    device: Device = LAPTOP,
    build: TorchBuild = BUILT,
    tool: Installer = PIP,
    ending: JobResult | None = None,
) -> str:
    """The line that a person reads."""
    with pytest.raises(EnvironmentFault) as fault:
        check_card(playing(answer, ending), device, 0, build, tool)
    assert fault.value.exit_code == ExitCode.ENVIRONMENT
    said = str(fault.value)
    assert "\n" not in said
    assert "add --device cpu to continue without the card" in said
    return said


def saying(problem: str, **changes: object) -> CardAnswer:
    """A card that is there, and what torch said when it was to compute."""
    return CardAnswer.model_validate(WELL.model_dump() | {"problem": problem} | changes)


def test_a_card_that_computes_is_answered_for_and_asked_by_its_number() -> None:
    runner = playing(WELL)
    assert check_card(runner, LAPTOP, 1, BUILT, PIP) == WELL
    (job,) = runner.jobs
    assert (job.device.kind, job.device.index) == ("cuda", 1)
    assert not Path(str(job.out)).exists()


def test_on_a_cpu_nothing_is_started() -> None:
    runner = playing(None)
    assert check_card(runner, CPU, 0, TorchBuild("2.13.0+cpu", None), PIP) is None
    assert runner.jobs == []


def test_a_torch_without_cuda_is_refused_before_a_process_is_started() -> None:
    runner = playing(None)
    with pytest.raises(EnvironmentFault) as fault:
        check_card(runner, LAPTOP, 0, TorchBuild("2.13.0+cpu", None), PIP)
    assert str(fault.value) == (
        "torch 2.13.0+cpu cannot use the RTX 4060 Laptop: it was built without CUDA; add --device"
        " cpu to continue without the card, or replace it with: python -m pip install"
        " torch==2.13.0+cu130 --index-url https://download.pytorch.org/whl/cu130"
    )
    assert runner.jobs == []


def test_the_command_is_uvs_where_uv_made_the_environment() -> None:
    said = refused(None, build=TorchBuild("2.13.0", None), tool=Installer(True, ""))
    assert "replace it with: uv pip install torch==2.13.0+cu130 --index-url" in said


def test_the_command_suits_an_older_card_and_an_older_driver() -> None:
    pascal = replace(LAPTOP, name="NVIDIA GeForce GTX 1070", capability=(6, 1))
    said = refused(None, pascal, TorchBuild("2.13.0+cpu", None))
    assert "the GTX 1070:" in said
    assert said.endswith("torch==2.13.0+cu126 --index-url https://download.pytorch.org/whl/cu126")
    older = refused(None, replace(LAPTOP, driver="566.36"), TorchBuild("2.13.0+cpu", None))
    assert older.endswith('"torch<2.12" --index-url https://download.pytorch.org/whl/cu128')
    ancient = refused(None, replace(LAPTOP, driver="471.11"), TorchBuild("2.13.0+cpu", None))
    assert "install an NVIDIA driver from 525 on (https://www.nvidia.com/drivers), then " in ancient


def test_a_torch_for_amd_is_called_that() -> None:
    assert "built for AMD's cards" in refused(None, build=TorchBuild("2.13.0+rocm7", None, "7.2"))


NO_CODE = "CUDA error: no kernel image is available for execution on the device"


def test_a_torch_without_code_for_the_card_is_replaced_by_one_that_has_it() -> None:
    pascal = replace(LAPTOP, name="NVIDIA GeForce GTX 1070", capability=None)
    answer = saying(NO_CODE, capability=(6, 1), arch_list=("sm_75", "sm_80"))
    said = refused(answer, pascal)
    assert "it has no code for a card of capability 6.1, only sm_75 sm_80;" in said
    assert said.endswith("torch==2.13.0+cu126 --index-url https://download.pytorch.org/whl/cu126")


def test_a_card_that_no_torch_has_code_for_is_called_too_old() -> None:
    kepler = replace(LAPTOP, name="Tesla K80", capability=(3, 7), driver="470.10.1")
    said = refused(saying(NO_CODE, capability=(3, 7)), kepler)
    assert "use a newer card: no torch of today has code below capability 5.0" in said


TOO_OLD = "The NVIDIA driver on your system is too old (found version 12070). Please update"


def test_a_driver_too_old_for_this_torch_is_said_with_both_numbers_and_both_ways_out() -> None:
    said = refused(saying(TOO_OLD), replace(LAPTOP, driver="566.36"))
    assert "CUDA 13.0 needs an NVIDIA driver from 580 on, this is 566.36;" in said
    assert "install a newer driver (https://www.nvidia.com/drivers), or a torch for this" in said
    assert said.endswith('"torch<2.12" --index-url https://download.pytorch.org/whl/cu128')


def test_a_driver_too_old_for_every_torch_has_one_way_out() -> None:
    said = refused(saying(TOO_OLD), replace(LAPTOP, driver="471.11"))
    assert said.endswith("install a newer driver (https://www.nvidia.com/drivers)")


@pytest.mark.parametrize(
    ("problem", "remedy"),
    [
        (
            "Unexpected error from cudaGetDeviceCount(). Error 803: system has unsupported display"
            " driver / cuda driver combination",
            "restart the computer: its driver was updated while it was running",
        ),
        ("CUDA unknown error - this may be due to an incorrectly set up environment", "restart"),
        ("CUDA error: GPU is lost", "look at the card's power and cable"),
        (
            "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
            "end the other program that has the card for itself",
        ),
        ("CUDA error: out of memory", "close the other programs that fill its memory"),
        ("No CUDA GPUs are available", "look at CUDA_VISIBLE_DEVICES, then restart"),
        ("a product of ones gives 0.0, must be 262144", "restart the computer"),
    ],
)
def test_whatever_else_the_driver_says_is_repeated_with_what_to_do(
    problem: str, remedy: str
) -> None:
    said = refused(saying(problem))
    assert repr(problem) in said
    assert remedy in said


def test_a_process_that_dies_or_hangs_while_it_looks_is_the_cards_fault() -> None:
    said = refused(
        None, ending=JobResult(Failure.TIMED_OUT, "no sign of life for 180 s in start", 180.0)
    )
    assert "ended without an answer (no sign of life for 180 s in start)" in said
    assert "worker.log" not in said  # its folder is gone


def test_a_torch_that_cannot_be_loaded_is_not_blamed_on_the_card() -> None:
    reason = "torch cannot be loaded: OSError: [WinError 126] c10.dll (install the redistributable)"
    runner = playing(None, setups.failed(Failure.LIBRARY, reason, "start"))
    with pytest.raises(EnvironmentFault) as fault:
        check_card(runner, LAPTOP, 0, BUILT, PIP)
    said = str(fault.value)
    assert said.startswith(reason)
    assert "cannot use" not in said


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA GeForce RTX 4060 Laptop GPU", "RTX 4060 Laptop"),
        ("NVIDIA H100 80GB HBM3", "H100 80GB HBM3"),
        ("Tesla T4", "Tesla T4"),
    ],
)
def test_a_card_is_called_what_people_call_it(name: str, short: str) -> None:
    assert short_name(name) == short
