"""`--gpus all`: which cards get a worker, and what is said where there is none."""

from dataclasses import replace

import pytest

from autotune.base.errors import EnvironmentFault
from autotune.cli.many_cards import command_of
from autotune.device.every_card import every_card
from autotune.device.nvml_port import Card
from autotune.study.shared.address import read_address
from tests.fakes.nvml import FakeNvml


def card(index: int, **changes: object) -> Card:
    made = Card(index, "RTX", f"GPU-{index}aaa", 8, 8, "580")
    return replace(made, **changes)  # type: ignore[arg-type]


def chosen(*cards: Card, visible: str | None = None) -> list[str | None]:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    return [each.uuid for each in every_card(FakeNvml(cards), environ)]


def test_every_card_that_answers_gets_a_worker() -> None:
    cards = card(0), card(1, problem="GPU is lost"), card(2), card(3, uuid=None)
    assert chosen(*cards) == ["GPU-0aaa", "GPU-2aaa"]


def test_of_a_card_in_mig_mode_its_devices_get_one_each() -> None:
    parts = [card(at, uuid=f"MIG-{at}", parent=0) for at in (1, 2)]
    assert chosen(card(0, mig=True), *parts) == ["MIG-1", "MIG-2"]


def test_cards_that_cuda_does_not_show_get_none() -> None:
    assert chosen(card(0), card(1), card(2), visible="2,0") == ["GPU-2aaa", "GPU-0aaa"]


@pytest.mark.parametrize(
    ("nvml", "environ", "said"),
    [
        (FakeNvml(problem="no NVIDIA driver is installed"), {}, "no NVIDIA driver is installed"),
        (FakeNvml((card(0),)), {"CUDA_VISIBLE_DEVICES": ""}, "hides every NVIDIA card"),
        (FakeNvml((card(0, problem="GPU is lost"),)), {}, "does not answer .GPU is lost."),
    ],
)
def test_without_a_card_it_says_so_in_a_line(
    nvml: FakeNvml, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(EnvironmentFault, match=f"--gpus all: .*{said}.*leave --gpus out"):
        every_card(nvml, environ)


def test_the_command_line_of_a_worker_has_no_password() -> None:
    address = read_address("postgresql://me:hidden@h/d", {})
    words = command_of(address, "s")
    assert "hidden" not in " ".join(words) and "postgresql://me@h/d" in words
