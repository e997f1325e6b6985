"""What holds a card back at the moment, and what a process may have of it."""

import pytest

from autotune.base.sizes import CONTEXT_BYTES, GIB, MIB
from autotune.device.budget import as_processes_see
from autotune.device.find import Device
from autotune.device.nvml_port import CardState, NvmlUnavailable
from autotune.fit.fit import throttle_reasons
from autotune.protocol.throttle import Throttle
from tests.fakes.nvml import FakeNvml


def held(*reasons: Throttle, battery: bool | None = None) -> tuple[str, ...]:
    state = CardState(None, None, None, None, reasons)
    return throttle_reasons(FakeNvml(given_state={0: state}), 0, lambda: battery)


def test_heat_a_brake_and_the_battery_hold_a_card_down_and_its_power_limit_does_not() -> None:
    assert held() == ()
    assert held(Throttle.POWER) == ()
    assert held(Throttle.POWER, Throttle.HEAT, battery=True) == ("temperature", "on battery")
    assert held(Throttle.POWER_BRAKE, battery=False) == ("power brake",)


def test_a_driver_that_tells_nothing_holds_nothing_down() -> None:
    class Gone(FakeNvml):
        def state(self, index: int) -> CardState:
            raise NvmlUnavailable("no NVIDIA driver is installed")

    assert throttle_reasons(Gone(), 0, lambda: None) == ()
    assert throttle_reasons(FakeNvml(), 0, lambda: None) == ()


CARD = Device("cuda", "RTX 4060", 0, None, 8 * GIB, 7 * GIB, "555")


@pytest.mark.parametrize(
    ("text", "process_free", "free"),
    [
        ("auto", 6 * GIB, 6 * GIB + CONTEXT_BYTES),
        (" AUTO ", 5 * GIB, 5 * GIB + CONTEXT_BYTES),
        ("auto", 7 * GIB - 300 * MIB, 7 * GIB),
        ("auto", None, 7 * GIB),
        ("7GiB", 5 * GIB, 7 * GIB),
    ],
    ids=["less", "in capitals", "only the context less", "not asked", "a named size"],
)
def test_an_automatic_budget_has_no_more_than_a_process_of_ours_is_given(
    text: str, process_free: int | None, free: int
) -> None:
    assert as_processes_see(CARD, text, process_free).free_bytes == free
