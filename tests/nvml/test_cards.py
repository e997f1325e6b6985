"""Cards as the real `pynvml` tells them over a made-up driver: one scene a kind of machine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autotune.base.errors import ExitCode
from autotune.base.sizes import MIB
from tests.nvml.driver import OUTSIDE, Driver

SCENES = (
    *("laptop", "linux", "two", "mig", "mig-empty", "nonsense", "no-total", "unsaid"),
    *("unsupported", "unified", "lost", "lost-later", "gone", "mismatch", "uncounted"),
    *("neighbour", "hot", "full"),
)


def look_at(*scenes: str) -> str:
    """The program that looks at these scenes."""
    look = Path(__file__).with_name("look.py").read_text(encoding="utf-8")
    return f"import sys\nsys.argv[1:] = {list(scenes)!r}\n{look}"


@pytest.fixture(scope="module")
def looked(driver: Driver) -> dict[str, Any]:
    """What each scene looks like, all of them in one process."""
    program = look_at(*SCENES)
    found: dict[str, Any] = driver.asked("laptop", program, NVML_USER_PID=str(os.getpid()))
    return found


def test_a_laptop_whose_driver_hides_what_processes_hold(looked: dict[str, Any]) -> None:
    seen = looked["laptop"]
    (card,), (state,), (users,) = seen["cards"], seen["states"], seen["users"]
    assert (card["name"], card["driver"]) == ("NVIDIA GeForce RTX 4060 Laptop GPU", "580.95.05")
    assert (card["total_bytes"], card["free_bytes"]) == (8188 * MIB, 7088 * MIB)
    assert card["capability"] == [8, 9]
    assert (state["used_bytes"], state["watts"], state["limit_watts"]) == (1100 * MIB, 54.321, None)
    assert len(users) == 20
    assert {user["bytes"] for user in users} == {None}
    assert seen["auto"]["bf16"] is True
    assert seen["auto"]["note"] is None


def test_a_driver_that_tells_what_processes_hold(looked: dict[str, Any]) -> None:
    (users,) = looked["linux"]["users"]
    assert users == [{"pid": 4000000, "name": None, "bytes": 310 * MIB, "outside": False}]
    assert looked["linux"]["states"][0]["limit_watts"] == 115
    (mine,) = looked["neighbour"]["users"][0]
    assert (mine["pid"], mine["bytes"]) == (os.getpid(), 3072 * MIB)
    assert mine["name"] is not None
    assert f"{mine['name']} {os.getpid()} (3.00 GiB)" in looked["neighbour"]["7GiB"]["error"]


def test_two_cards_are_both_there_with_their_own_figures(looked: dict[str, Any]) -> None:
    small, large = looked["two"]["cards"]
    assert (small["index"], large["index"]) == (0, 1)
    assert small["uuid"] != large["uuid"]
    assert large["total_bytes"] == 24564 * MIB


def test_a_card_in_mig_mode_is_computed_on_by_its_first_mig_device(looked: dict[str, Any]) -> None:
    seen = looked["mig"]
    card, first, second = seen["cards"]
    assert (card["mig"], card["total_bytes"], card["parent"]) == (True, None, None)
    assert (first["parent"], first["total_bytes"]) == (0, 9856 * MIB)
    assert first["uuid"].startswith("MIG-")
    assert first["uuid"] != second["uuid"]
    assert (seen["auto"]["kind"], seen["auto"]["uuid"]) == ("cuda", first["uuid"])
    assert seen["states"][1]["used_bytes"] == 56 * MIB
    assert seen["states"][1]["celsius"] == 40  # the card's: a MIG device has no thermometer
    assert seen["auto"]["bf16"] is True


def test_a_card_in_mig_mode_without_a_mig_device_is_no_reason_for_the_cpu(
    looked: dict[str, Any],
) -> None:
    refused = looked["mig-empty"]["auto"]
    assert refused["code"] == ExitCode.ENVIRONMENT
    assert "NVIDIA H100 80GB HBM3 is in MIG mode and has no MIG device" in refused["error"]
    assert "--device cpu" in refused["error"]


def test_figures_that_cannot_be_true_are_unknown_and_said(looked: dict[str, Any]) -> None:
    seen = looked["nonsense"]
    (card,), (state,), (users,) = seen["cards"], seen["states"], seen["users"]
    assert (card["total_bytes"], card["free_bytes"], state["used_bytes"]) == (
        8188 * MIB,
        None,
        None,
    )
    assert users[0]["bytes"] is None
    assert seen["auto"]["note"] == (
        "the driver's figures cannot be true (8252 MiB used and 17592186044352 MiB free of 8188"
        " MiB); they count as unknown"
    )
    assert seen["auto"]["kind"] == "cuda"
    no_total = looked["no-total"]
    assert no_total["cards"][0]["total_bytes"] is None
    assert no_total["states"][0]["used_bytes"] is None
    assert "0 MiB used and 0 MiB free of 0 MiB" in no_total["auto"]["note"]


def test_figures_that_cannot_be_true_reach_no_meter_so_they_make_no_verdict(
    looked: dict[str, Any],
) -> None:
    assert looked["linux"]["meter"]["used"] == 327 * MIB
    for scene in ("nonsense", "no-total", "unsaid"):
        assert looked[scene]["meter"] == {"used": None, "measured": False}


@pytest.mark.parametrize("scene", ["unsaid", "unsupported", "unified"])
def test_what_the_driver_does_not_tell_is_unknown_and_no_fault(
    looked: dict[str, Any], scene: str
) -> None:
    seen = looked[scene]
    (card,) = seen["cards"]
    assert (card["total_bytes"], card["free_bytes"], card["problem"]) == (None, None, None)
    assert seen["states"][0]["used_bytes"] is None
    assert (seen["auto"]["kind"], seen["auto"]["note"]) == ("cuda", None)
    assert seen["auto"]["bf16"] is (scene != "unsupported")


@pytest.mark.parametrize("scene", ["lost", "lost-later"])
def test_a_lost_card_is_reported_as_lost_and_nobody_is_asked_for_a_size(
    looked: dict[str, Any], scene: str
) -> None:
    seen = looked[scene]
    assert seen["cards"][0]["problem"] == "GPU is lost"
    for asked in ("auto", "7GiB"):
        assert seen[asked]["code"] == ExitCode.ENVIRONMENT
        assert "does not answer (the driver reports: GPU is lost)" in seen[asked]["error"]
        assert "--vram-budget" not in seen[asked]["error"]
        assert "\n" not in seen[asked]["error"]


def test_no_driver_at_work_is_the_cpu_with_the_reason(looked: dict[str, Any]) -> None:
    seen = looked["gone"]["auto"]
    assert seen["kind"] == "cpu"
    assert seen["note"] == "the NVIDIA driver is installed and does not run (Driver Not Loaded)"


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        ("mismatch", "was updated and the computer not restarted since (RM has detected"),
        ("uncounted", "does not report which cards there are (Unknown Error)"),
    ],
)
def test_a_driver_that_is_there_and_does_not_answer_is_no_reason_for_the_cpu(
    looked: dict[str, Any], scene: str, words: str
) -> None:
    seen = looked[scene]
    assert seen["cards"]["fault"] is True
    assert seen["auto"]["code"] == ExitCode.ENVIRONMENT
    assert words in seen["auto"]["error"]
    assert "restart the computer, or use --device cpu" in seen["auto"]["error"]


def test_a_hot_card_says_what_holds_its_clock_down(looked: dict[str, Any]) -> None:
    (state,) = looked["hot"]["states"]
    assert (state["celsius"], state["throttled"]) == (87, ["power limit", "temperature"])


def test_a_driver_from_before_2022_tells_the_same(driver: Driver, looked: dict[str, Any]) -> None:
    program = look_at("linux", "hot")
    old = driver.asked("old", program, NVML_USER_PID=str(os.getpid()))
    assert old == {scene: looked[scene] for scene in ("linux", "hot")}


@pytest.mark.parametrize(
    ("scene", "auto", "words"),
    [
        ("linux", 7861 - 512, "7.68 GiB free now less 512 MiB in reserve"),
        ("laptop", 7088 - 512, "6.92 GiB free now less 512 MiB in reserve"),
        ("mig", 9800 - 512, "9.57 GiB free now less 512 MiB in reserve"),
    ],
)
def test_a_budget_is_made_of_what_the_driver_tells(
    looked: dict[str, Any], scene: str, auto: int, words: str
) -> None:
    found = looked[scene]["auto budget"]
    assert found["limit"] == auto * MIB
    assert words in found["said"]


def test_no_budget_is_made_of_figures_that_cannot_be_true(looked: dict[str, Any]) -> None:
    refused = looked["nonsense"]["auto budget"]
    assert refused["code"] == ExitCode.ENVIRONMENT
    assert "cannot be true (8252 MiB used" in refused["error"]
    assert looked["nonsense"]["7GiB"]["limit"] == 7 * 1024 * MIB
    assert "does not report how much memory is free" in looked["unified"]["auto budget"]["error"]


@pytest.mark.parametrize("scene", ["laptop", "linux", "neighbour", "full"])
def test_eight_gib_on_an_eight_gb_card_means_all_of_it(looked: dict[str, Any], scene: str) -> None:
    free = {"laptop": 7088, "linux": 7861, "neighbour": 5099, "full": 188}[scene]
    refused = looked[scene]["8GiB"]
    assert refused["code"] == ExitCode.ENVIRONMENT
    assert refused["error"].startswith(
        f"memory budget 8GiB is all that the device has (8188 MiB): only {free} MiB of NVIDIA"
    )
    assert looked[scene]["9GiB"]["code"] == ExitCode.BAD_INPUT
    assert "has 8.00 GiB; give at most that" in looked[scene]["9GiB"]["error"]


def test_all_of_a_card_is_what_it_has_where_the_driver_hides_what_is_free(
    looked: dict[str, Any],
) -> None:
    found = looked["nonsense"]["8GiB"]
    assert found["limit"] == 8188 * MIB
    assert found["said"].startswith("budget 8188 MiB, all of the card, by a cap on the allocator")


CONTAINER = f"""{OUTSIDE}
import json
from dataclasses import asdict
from autotune.device.find import find_device
from autotune.device.budget import auto_budget, budget_sentence
from autotune.device.nvml import Nvml
device = find_device("auto")
own = {{user.pid for user in device.users}}
budget = auto_budget(device, "auto", "512MiB", own)
print(json.dumps([[asdict(user) for user in device.users], budget.own_bytes,
                  budget_sentence(budget, device, own)]))
"""


def test_in_a_container_ids_of_the_host_name_nobody_and_are_not_taken_for_ours(
    driver: Driver,
) -> None:
    # Ids 1 and 2 are processes here too, and not those that the driver means.
    users, own_bytes, said = driver.asked("container", CONTAINER)
    assert [(user["pid"], user["name"], user["outside"]) for user in users] == [
        (1, None, True),
        (2, None, True),
    ]
    assert own_bytes == 0
    assert said.endswith(
        "also on the card: 2 processes (3.00 GiB) of this container or of its host"
    )


PEEK = """
import json, os
from pathlib import Path
import psutil
from autotune.device.find import find_device
from autotune.device.budget import auto_budget, budget_sentence
from autotune.device.nvml import Nvml
from autotune.train.peak_check import watch_other_processes
device = find_device("auto")
budget_sentence(auto_budget(device, "auto", "64MiB"), device)
watch_other_processes(device, None).look()
state = Nvml().state(device.index)
mapped = " ".join(Path(mapped.path).name for mapped in psutil.Process().memory_maps())
print(json.dumps({
    "asked": "libnvidia-ml" in mapped or "nvml" in mapped,
    "cuda": "libcuda" in mapped or "nvcuda" in mapped,
    "user": os.getpid() in {user.pid for user in Nvml().users(device.index)},
}))
"""


def test_looking_at_a_card_loads_no_cuda_so_it_makes_no_context(driver: Driver) -> None:
    assert driver.asked("linux", PEEK) == {"asked": True, "cuda": False, "user": False}


@pytest.mark.gpu
def test_looking_at_a_real_card_makes_no_context_in_a_process_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEEK], capture_output=True, encoding="utf-8", check=True
    )
    assert json.loads(done.stdout) == {"asked": True, "cuda": False, "user": False}
