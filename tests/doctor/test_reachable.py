"""What `doctor` asks outside itself: whether the hub answers, and whether torch loads."""

import sys
import time
from collections.abc import Callable

import pytest

from autotune.doctor.finding import State
from autotune.doctor.torch_import import import_torch
from autotune.sources.reachable import ask_hub
from tests.doctor.machines import of, without_card


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
