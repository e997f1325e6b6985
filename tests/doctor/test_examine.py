"""`doctor`'s findings: what blocks, what is a note, and what mends it, one machine at a time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.base.sizes import GIB, MIB
from autotune.doctor import computer
from autotune.doctor.examine import CHECKS, examine
from autotune.doctor.finding import State
from autotune.doctor.machine import Machine
from autotune.protocol.card_answer import CardAnswer
from autotune.sources.reachable import HubAnswer
from tests.doctor.machines import (
    HOT,
    LAPTOP,
    LOST,
    NO_CODE,
    OLD_DRIVER,
    SHOWN,
    WITHOUT_CUDA,
    of,
    on_card,
    without_card,
)


def test_nothing_is_in_the_way_of_a_good_machine_and_every_remedy_is_for_something() -> None:
    for machine in (on_card(), without_card()):
        found = examine(machine).findings
        assert not [each for each in found if each.state is State.BLOCKS]
        assert not [each for each in found if each.state is State.OK and each.remedy]
        assert not [each for each in found if "could not be looked at" in each.fact]


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
        "offline: HF_HUB_OFFLINE is set; commands that need a model, data or prompts that are not",
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
    assert found.state is State.BLOCKS, "a run would stop there"
    assert "no/such-model" in found.fact and "--model FOLDER" in (found.remedy or "")
    here = profile.model_copy(
        update={
            "model": profile.model.model_copy(update={"source": "demo"}),
            "data": profile.data.model_copy(update={"source": "demo"}),
        }
    )
    (found,) = of("sources", replace(machine, profile=here))
    assert found.state is State.OK


def test_what_a_profile_needs_of_the_libraries_that_few_need_is_in_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = computer.find_spec
    monkeypatch.setattr(
        computer, "find_spec", lambda name: None if name in computer.OPTIONAL else there(name)
    )
    machine = without_card()
    (found,) = of("libraries", machine)
    assert found.state is State.OK
    assert "pyarrow (for Parquet, Arrow and .zst), psycopg (for --storage" in found.fact
    data = machine.profile.data.model_copy(update={"source": "rows/train.parquet"})
    profile = machine.profile.model_copy(update={"data": data})
    (found,) = of("libraries", replace(machine, profile=profile))
    assert (found.state, (found.remedy or "").split(" -m ")[1]) == (
        State.BLOCKS,
        "pip install pyarrow",
    )


def test_a_check_that_fails_is_a_note_and_the_others_are_still_made() -> None:
    def broken() -> HubAnswer:
        raise RuntimeError("of a kind that nobody thought of")

    found = {each.check: each for each in examine(on_card(hub=broken)).findings}
    assert found["hub"].state is State.NOTE
    assert "could not be looked at (RuntimeError: of a kind" in found["hub"].fact
    assert found["terminal"].state is State.OK


@pytest.mark.parametrize("name", SHOWN)
def test_every_trouble_that_the_docs_show_is_found_with_what_mends_it(name: str) -> None:
    good = examine(on_card()).findings
    found = [each for each in examine(SHOWN[name]()).findings if each not in good]
    assert any(each.state is not State.OK and each.remedy for each in found), found
