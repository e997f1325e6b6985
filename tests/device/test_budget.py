"""What a trial may use on a device: free now, a size that was named, a smaller card played."""

import os
from dataclasses import replace

import pytest

from autotune.base.errors import BadInput, EnvironmentFault
from autotune.base.sizes import GIB, MIB
from autotune.device.budget import Budget, auto_budget, budget_sentence
from autotune.device.find import Device, find_device
from autotune.device.nvml_port import Card, DeviceUser
from tests.fakes.nvml import FakeNvml

LAPTOP = Card(0, "NVIDIA GeForce RTX 4060 Laptop GPU", "GPU-aaa1", 8 * GIB, 7 * GIB, "580.1")
SILENT = Card(0, "NVIDIA GB10", None, None, None, None)
ONE = FakeNvml([LAPTOP])


def laptop(free_bytes: int, *users: DeviceUser) -> Device:
    """A card of 8 GiB with this much free and these on it."""
    card = Card(0, LAPTOP.name, None, 8 * GIB, free_bytes, None)
    return find_device("auto", FakeNvml([card], {0: users}), {})


def test_the_automatic_budget_is_what_is_free_now_less_the_reserve() -> None:
    budget = auto_budget(find_device("auto", ONE, {}), "auto", "512MiB")
    assert budget.total_bytes == 7 * GIB
    assert budget.limit_bytes == 7 * GIB - 512 * MIB


def test_a_size_that_was_named_is_taken_as_it_is() -> None:
    budget = auto_budget(find_device("auto", ONE, {}), "6.5GiB", "512MiB")
    assert budget.limit_bytes == int(6.5 * GIB)


def test_more_than_the_card_has_is_refused_with_what_it_has() -> None:
    with pytest.raises(BadInput, match=r"memory budget 9GiB: .*RTX 4060.* has 8\.00 GiB"):
        auto_budget(find_device("auto", ONE, {}), "9GiB", "512MiB")


def test_more_than_is_free_is_refused_naming_who_uses_the_card() -> None:
    users = {0: [DeviceUser(9, "chrome.exe", 700 * MIB), DeviceUser(8, None, None)]}
    card = find_device("auto", FakeNvml([LAPTOP], users), {})
    with pytest.raises(EnvironmentFault) as caught:
        auto_budget(card, "7.5GiB", "512MiB")
    text = str(caught.value)
    assert "only 7.00 GiB" in text
    assert "chrome.exe 9 (700 MiB)" in text
    assert "process 8 (not reported)" in text
    assert "\n" not in text


SOLD_AS_8 = Card(0, LAPTOP.name, None, 8188 * MIB, 7000 * MIB, None)


def test_what_a_card_was_sold_with_means_all_of_it() -> None:
    silent = find_device("auto", FakeNvml([replace(SOLD_AS_8, free_bytes=None)]), {})
    budget = auto_budget(silent, "8GiB", "512MiB")
    assert budget.limit_bytes == 8188 * MIB
    assert budget_sentence(budget, silent) == (
        "budget 8188 MiB, all of the card, by a cap on the allocator"
    )
    with pytest.raises(EnvironmentFault) as refused:
        auto_budget(find_device("auto", FakeNvml([SOLD_AS_8]), {}), "8GiB", "512MiB")
    assert str(refused.value) == (
        "memory budget 8GiB is all that the device has (8188 MiB): only 7000 MiB of NVIDIA GeForce"
        " RTX 4060 Laptop GPU are free now; close other programs, give less, or say auto"
    )


def test_one_percent_more_than_a_card_has_is_more_than_it_has() -> None:
    card = find_device("auto", FakeNvml([SOLD_AS_8]), {})
    with pytest.raises(BadInput, match=r"has 8\.00 GiB; give at most that"):
        auto_budget(card, "8270MiB", "512MiB")
    with pytest.raises(BadInput, match=r"has 8\.00 GiB; give at most that"):
        auto_budget(card, "8.1GiB", "512MiB")


def test_a_little_more_than_is_free_never_looks_like_what_is_free() -> None:
    card = laptop(7 * GIB - MIB)
    with pytest.raises(EnvironmentFault, match=r"memory budget 7GiB: only 7167 MiB of"):
        auto_budget(card, "7GiB", "512MiB")


def test_a_card_whose_figures_were_not_believed_says_so_where_a_budget_is_asked() -> None:
    doubted = replace(SOLD_AS_8, free_bytes=None, doubt="the driver's figures cannot be true (...)")
    card = find_device("auto", FakeNvml([doubted]), {})
    with pytest.raises(EnvironmentFault, match=r"cannot be true.*give it with --vram-budget"):
        auto_budget(card, "auto", "512MiB")
    assert auto_budget(card, "7GiB", "512MiB").limit_bytes == 7 * GIB


def test_in_a_container_nobody_is_named_and_nobody_is_ours() -> None:
    here = DeviceUser(71, None, 900 * MIB, outside=True)
    hidden = DeviceUser(72, None, None, outside=True)
    card = laptop(6 * GIB, here, hidden)
    budget = auto_budget(card, "auto", "512MiB", {71, 72})
    assert budget.own_bytes == 0
    assert budget_sentence(budget, card, {71, 72}).endswith(
        "; also on the card: 2 processes (900 MiB) of this container or of its host"
    )
    alone = laptop(6 * GIB, hidden)
    with pytest.raises(
        EnvironmentFault, match=r"in use by 1 process \(not reported\) of this container"
    ):
        auto_budget(alone, "7GiB", "512MiB", {72})


def test_a_full_card_and_a_silent_driver_ask_for_what_they_need() -> None:
    full = Card(0, "card", None, 8 * GIB, 300 * MIB, None)
    with pytest.raises(EnvironmentFault, match=r"300 MiB free.*512 MiB.*close other programs"):
        auto_budget(find_device("auto", FakeNvml([full]), {}), "auto", "512MiB")
    with pytest.raises(EnvironmentFault, match="does not report how much memory is free"):
        auto_budget(find_device("auto", FakeNvml([SILENT]), {}), "auto", "512MiB")
    assert auto_budget(find_device("auto", FakeNvml([SILENT]), {}), "2GiB", "512MiB").limit_bytes


def test_a_cpu_budget_above_the_machine_is_refused() -> None:
    cpu = find_device("cpu")
    assert auto_budget(cpu, "64MiB", "1MiB").limit_bytes == 64 * MIB
    assert cpu.total_bytes is not None
    with pytest.raises(BadInput, match="memory budget"):
        auto_budget(cpu, f"{cpu.total_bytes // GIB + 2}GiB", "1MiB")
    with pytest.raises(BadInput, match="memory size"):
        auto_budget(cpu, "lots", "1MiB")


def test_what_our_own_workers_still_hold_counts_as_free() -> None:
    dying = DeviceUser(71, "python", 900 * MIB)
    card = laptop(6 * GIB, dying, DeviceUser(9, "chrome", 310 * MIB))
    assert auto_budget(card, "auto", "512MiB").limit_bytes == 6 * GIB - 512 * MIB
    budget = auto_budget(card, "auto", "512MiB", {71, 72})
    assert budget.limit_bytes == 6 * GIB + 900 * MIB - 512 * MIB
    assert auto_budget(card, "6.5GiB", "512MiB", {71}).limit_bytes == int(6.5 * GIB)
    with pytest.raises(EnvironmentFault, match=r"only 6\.00 GiB"):
        auto_budget(card, "6.5GiB", "512MiB")
    assert budget_sentence(budget, card, {71, 72}) == (
        "budget 6.38 GiB: 6.00 GiB free now and 900 MiB of our own less 512 MiB in reserve; also on"
        " the card: chrome 9 (310 MiB)"
    )


def test_what_is_ours_and_hidden_by_the_driver_adds_nothing() -> None:
    card = laptop(6 * GIB, DeviceUser(71, "python", None))
    assert auto_budget(card, "auto", "512MiB", {71}).total_bytes == 6 * GIB


def test_our_own_never_make_more_than_the_device_has() -> None:
    card = laptop(8 * GIB - MIB, DeviceUser(71, "python", GIB))
    assert auto_budget(card, "auto", "512MiB", {71}).total_bytes == 8 * GIB


def test_the_budget_is_a_sentence_that_names_who_else_is_on_the_card() -> None:
    card = laptop(int(7.4 * GIB), DeviceUser(1234, "chrome", 310 * MIB))
    assert budget_sentence(auto_budget(card, "auto", "512MiB"), card) == (
        "budget 6.90 GiB: 7.40 GiB free now less 512 MiB in reserve; also on the card: chrome 1234"
        " (310 MiB)"
    )


def test_the_largest_users_are_named_and_the_rest_counted() -> None:
    users = [DeviceUser(pid, f"program{pid}", pid * MIB) for pid in range(1, 6)]
    hidden = DeviceUser(9, None, None)
    card = laptop(7 * GIB, *users, hidden)
    text = budget_sentence(auto_budget(card, "auto", "512MiB"), card)
    assert text.endswith("program5 5 (5 MiB), program4 4 (4 MiB), program3 3 (3 MiB), 3 more")
    lonely = laptop(7 * GIB, hidden)
    text = budget_sentence(auto_budget(lonely, "auto", "512MiB"), lonely)
    assert text.endswith("also on the card: process 9 (not reported)")


def test_a_smaller_card_on_a_bigger_one_is_called_an_emulation() -> None:
    big = Card(0, "NVIDIA H100", None, int(79.1 * GIB), 79 * GIB, None)
    card = find_device("auto", FakeNvml([big]), {})
    assert budget_sentence(auto_budget(card, "8GiB", "512MiB"), card) == (
        "emulating a card of 8.00 GiB on NVIDIA H100 (79.10 GiB) by a cap on the allocator"
    )


def test_most_of_a_card_is_a_budget_on_it_and_no_emulation() -> None:
    card = find_device("auto", ONE, {})
    text = budget_sentence(auto_budget(card, "6.5GiB", "512MiB"), card)
    assert text == "budget 6.50 GiB, as given, by a cap on the allocator"


def test_a_size_is_said_to_come_from_what_named_it() -> None:
    card, cpu = find_device("auto", ONE, {}), find_device("cpu")
    of_card, of_process = auto_budget(card, "6.5GiB", "1MiB"), auto_budget(cpu, "64MiB", "1MiB")
    assert budget_sentence(of_card, card, giver="--vram-budget") == (
        "budget 6.50 GiB (--vram-budget), by a cap on the allocator"
    )
    assert budget_sentence(of_process, cpu, giver="profile cpu-proof") == (
        "budget 64 MiB for the memory of the process (profile cpu-proof)"
    )


def test_on_a_cpu_the_budget_is_memory_of_the_process() -> None:
    cpu = find_device("cpu")
    budget = auto_budget(cpu, "64MiB", "1MiB")
    assert (budget.on_card, budget.card_bytes) == (False, None)
    assert budget_sentence(budget, cpu) == "budget 64 MiB for the memory of the process, as given"
    free = auto_budget(cpu, "auto", "1MiB", {os.getpid(), 2**31 - 9})
    assert 5 * MIB < free.own_bytes < 4 * GIB
    assert "free now" in budget_sentence(free, cpu)


def test_a_budget_on_a_card_knows_what_the_card_physically_has() -> None:
    for text in ("auto", "6GiB"):
        budget = auto_budget(find_device("auto", ONE, {}), text, "512MiB")
        assert (budget.on_card, budget.card_bytes) == (True, 8 * GIB)
    silent = auto_budget(find_device("auto", FakeNvml([SILENT]), {}), "2GiB", "512MiB")
    assert (silent.on_card, silent.card_bytes) == (True, None)


@pytest.mark.parametrize("text", ["0GiB", "-1GiB", "8", "lots", "8 GiB or so", "AUTO!", ""])
def test_nonsense_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        auto_budget(find_device("auto", ONE, {}), text, "512MiB")
    assert "\n" not in str(refused.value)
    assert repr(text) in str(refused.value)


def test_a_reserve_is_kept_free_of_a_budget() -> None:
    budget = Budget(total_bytes=8 * GIB, reserve_bytes=GIB, source="free now")
    assert budget.limit_bytes == 7 * GIB
    assert budget.holds(7 * GIB) and not budget.holds(7 * GIB + 1)
