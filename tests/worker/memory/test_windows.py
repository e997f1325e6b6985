"""Windows' counters of a process's GPU memory, shared and dedicated, over a played library."""

import ctypes
from typing import Any

import pytest

from autotune.worker.memory.windows import _Item, dedicated_usage_bytes, shared_usage_bytes

MIB = 2**20
MORE_DATA = 0x800007D2 - 2**32  # as a C int, which is what ctypes returns
CARD_ONE, CARD_TWO = "luid_0x00000000_0x0000D1F6_phys_0", "luid_0x00000000_0x0000D2AA_phys_0"


class Pdh:
    """A library whose counter has these rows: (name, value, status)."""

    def __init__(self, *rows: tuple[str, int, int], failing: str = "") -> None:
        self.rows = rows
        self.failing = failing
        self.path = ""
        self.open = 0

    def _code(self, call: str) -> int:
        return -1073738824 if call == self.failing else 0  # PDH_CSTATUS_NO_OBJECT

    def PdhOpenQueryW(self, source: None, data: None, query: Any) -> int:
        query._obj.value = 11
        self.open += self.failing != "open"
        return self._code("open")

    def PdhAddEnglishCounterW(self, query: Any, path: str, data: None, counter: Any) -> int:
        self.path = path
        counter._obj.value = 22
        return self._code("add")

    def PdhCollectQueryData(self, query: Any) -> int:
        return self._code("collect")

    def PdhGetFormattedCounterArrayW(
        self, counter: Any, form: int, size: Any, count: Any, buffer: Any
    ) -> int:
        assert form == 0x400
        if self._code("get"):
            return self._code("get")
        if buffer is None:
            size._obj.value = ctypes.sizeof(_Item) * len(self.rows)
            return MORE_DATA
        items = ctypes.cast(buffer, ctypes.POINTER(_Item))
        for at, (name, value, status) in enumerate(self.rows):
            items[at].name, items[at].value.large, items[at].value.status = name, value, status
        count._obj.value = len(self.rows)
        return 0

    def PdhCloseQuery(self, query: Any) -> int:
        self.open -= 1
        return 0


def test_a_process_is_added_up_over_its_cards_and_no_other_is_counted() -> None:
    pdh = Pdh(
        (f"pid_123_{CARD_ONE}", 300 * MIB, 0),
        (f"pid_123_{CARD_TWO}", 5 * MIB, 1),
        (f"pid_1234_{CARD_ONE}", 999 * MIB, 0),
        (f"pid_12_{CARD_ONE}", 999 * MIB, 0),
    )
    assert shared_usage_bytes(123, pdh) == 305 * MIB
    assert pdh.path == r"\GPU Process Memory(*)\Shared Usage"
    assert pdh.open == 0


def test_what_a_process_holds_on_cards_is_counted_apart_from_what_was_lent() -> None:
    pdh = Pdh((f"pid_123_{CARD_ONE}", 700 * MIB, 0), (f"pid_9_{CARD_ONE}", 999 * MIB, 0))
    assert dedicated_usage_bytes(123, pdh) == 700 * MIB
    assert pdh.path == r"\GPU Process Memory(*)\Dedicated Usage"


def test_a_value_beyond_32_bits_is_whole_and_an_invalid_one_is_passed_over() -> None:
    pdh = Pdh(
        (f"pid_7_{CARD_ONE}", 9 * 2**30, 0), (f"pid_7_{CARD_TWO}", 5, -1073738822 & 2**32 - 1)
    )
    assert shared_usage_bytes(7, pdh) == 9 * 2**30


@pytest.mark.parametrize("pdh", [Pdh(), Pdh((f"pid_8_{CARD_ONE}", 5, 0))], ids=["none", "others"])
def test_a_process_without_a_row_is_unknown_and_not_zero(pdh: Pdh) -> None:
    assert shared_usage_bytes(7, pdh) is None
    assert pdh.open == 0


@pytest.mark.parametrize("call", ["open", "add", "collect", "get"])
def test_a_windows_without_the_counter_is_unknown_and_the_query_is_closed(call: str) -> None:
    pdh = Pdh((f"pid_7_{CARD_ONE}", 5, 0), failing=call)
    assert shared_usage_bytes(7, pdh) is None
    assert pdh.open == 0


def test_a_library_that_lacks_the_calls_raises_nothing() -> None:
    assert shared_usage_bytes(7, object()) is None


def test_this_machine_answers_or_knows_nothing() -> None:
    found = shared_usage_bytes()
    assert found is None or found >= 0
