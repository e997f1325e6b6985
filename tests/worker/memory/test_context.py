"""What a process takes outside the allocator, worked out from what a played driver tells."""

import pytest

from autotune.base.sizes import CONTEXT_BYTES
from autotune.worker.memory.context import ContextMeter
from tests.worker.memory.memory_contract import MIB
from tests.worker.memory.played_card import UUID, PlayedNvml, Port

US, CHROME, GAME = 4242, 7, 8


def meter(nvml: PlayedNvml, dedicated: int | None = None) -> ContextMeter:
    """A meter that has looked at the card before there was a context."""
    told = None if dedicated is None else dedicated * MIB
    found = ContextMeter(Port(nvml), US, dedicated=lambda: told)
    found.snapshot_before()
    found.choose_card(UUID.removeprefix("GPU-"))
    return found


def context(meter: ContextMeter, reserved: int) -> int:
    """The context in MiB after a look while the allocator holds so many MiB."""
    meter.measure(reserved * MIB)
    return meter.context_bytes // MIB


def test_what_the_driver_counts_for_us_less_what_is_reserved_is_the_context() -> None:
    nvml = PlayedNvml(used=1000, users={CHROME: 300})
    ours = meter(nvml)
    nvml.used, nvml.users = 9999, {CHROME: 8000, US: 700}
    assert context(ours, 420) == 280


def test_it_rises_with_the_kernels_that_come_later_and_never_falls() -> None:
    nvml = PlayedNvml(users={})
    ours = meter(nvml)
    nvml.users = {US: 700}
    assert context(ours, 420) == 280
    nvml.users = {US: 1390}
    assert context(ours, 1000) == 390
    nvml.users = {US: 1300}
    assert context(ours, 1000) == 390


def test_without_figures_by_process_the_growth_of_the_cards_use_tells() -> None:
    nvml = PlayedNvml(used=1000, users={CHROME: None})
    ours = meter(nvml)
    nvml.used, nvml.users = 1320, {CHROME: None, US: None}
    assert context(ours, 20) == 300


@pytest.mark.parametrize(
    ("users", "used"),
    [
        ({CHROME: None, US: None, GAME: None}, 1900),
        ({US: None}, 1150),
        ({CHROME: 500, US: None}, 1520),
    ],
    ids=["one comes", "one goes", "one grows"],
)
def test_a_neighbour_that_comes_goes_or_grows_changes_nothing(
    users: dict[int, int | None], used: int
) -> None:
    nvml = PlayedNvml(used=1000, users={CHROME: 300 if users.get(CHROME) else None})
    ours = meter(nvml)
    nvml.users, nvml.used = users, used
    assert context(ours, 20) == CONTEXT_BYTES // MIB  # nothing that could be believed so far
    nvml = PlayedNvml(used=1000, users={CHROME: 300 if users.get(CHROME) else None})
    ours = meter(nvml)
    nvml.used, nvml.users = 1320, {**nvml.users, US: None}
    assert context(ours, 20) == 300
    nvml.users, nvml.used = users, used + 300
    assert context(ours, 20) == 300


def test_a_neighbour_that_the_driver_hides_counts_only_if_it_stays() -> None:
    nvml = PlayedNvml(used=1000)
    ours = meter(nvml)
    nvml.used = 1320
    assert context(ours, 20) == 300
    nvml.used = 1920
    assert context(ours, 220) == 300  # perhaps kernels, perhaps somebody's moment
    nvml.used = 1760
    assert context(ours, 400) == 360  # this much has been there twice


@pytest.mark.parametrize("grown", [-500, 0, 99, 1001, 6000])
def test_a_context_that_cannot_be_is_taken_for_none_at_all(grown: int) -> None:
    nvml = PlayedNvml(used=1000)
    ours = meter(nvml)
    nvml.used = 1000 + grown
    assert context(ours, 0) == CONTEXT_BYTES // MIB
    nvml.users = {US: grown}
    assert context(ours, 0) == CONTEXT_BYTES // MIB


def test_in_a_container_the_process_that_has_come_is_ours_whatever_its_number() -> None:
    nvml = PlayedNvml(users={US: 900, CHROME: 300})  # the host's 4242 is another program
    ours = meter(nvml)
    nvml.users = {US: 900, CHROME: 300, 51234: 700}
    assert context(ours, 420) == 280


def test_windows_own_counter_is_asked_where_the_driver_hides_processes() -> None:
    nvml = PlayedNvml(used=1000, users={CHROME: None})
    ours = meter(nvml, dedicated=720)
    nvml.used, nvml.users = 5000, {CHROME: None, GAME: None, US: None}
    assert context(ours, 400) == 320


@pytest.mark.parametrize(
    "nvml", [PlayedNvml(gone=True), PlayedNvml(used=None)], ids=["no driver", "not told"]
)
def test_without_a_driver_to_ask_the_context_is_assumed(nvml: PlayedNvml) -> None:
    ours = meter(nvml)
    assert context(ours, 20) == CONTEXT_BYTES // MIB
    assert ours.used_bytes is None


def test_of_two_cards_the_one_that_torch_computes_on_is_looked_at() -> None:
    other = "GPU-ffffffff-0000-0000-0000-000000000002"
    nvml = PlayedNvml(uuids=(UUID, other))
    ours = ContextMeter(Port(nvml), US, dedicated=lambda: None)
    ours.snapshot_before()
    ours.choose_card(other.removeprefix("GPU-"))
    nvml.used = 1320
    assert context(ours, 20) == CONTEXT_BYTES // MIB
    assert ours.used_bytes == 77 * MIB
    ours.choose_card("12345678-0000-0000-0000-000000000003")  # a card that the driver does not list
    ours.measure(20 * MIB)
    assert ours.used_bytes is None
