"""The first look at a card: which kind of kernel computes attention there, asked on the CPU."""

from contextlib import nullcontext

import pytest
import torch
from torch.nn.attention import SDPBackend

from autotune.worker import check

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")


def test_a_device_with_a_fused_kernel_is_found_to_have_one_and_no_random_number_is_drawn() -> None:
    before = torch.get_rng_state()
    assert check.attends_fused(CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_whose_kernels_all_refuse_is_left_with_plain_mathematics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A CPU has no memory-efficient kernel: torch says so as it does on a card without any.
    monkeypatch.setattr(check, "FUSED", [SDPBackend.EFFICIENT_ATTENTION])
    assert not check.attends_fused(CPU)


def test_plain_mathematics_is_never_taken_for_a_fused_kernel() -> None:
    assert SDPBackend.MATH not in check.FUSED


def test_a_kernel_that_fails_as_it_runs_serves_nothing_and_the_card_can_still_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: invalid configuration argument")

    monkeypatch.setattr(check, "sdpa_kernel", lambda _: nullcontext())
    monkeypatch.setattr(check.functional, "scaled_dot_product_attention", broken)
    assert not check.attends_fused(CPU)


@pytest.mark.parametrize("fused", [True, False])
def test_a_look_at_a_card_that_computes_says_it(
    monkeypatch: pytest.MonkeyPatch, fused: bool
) -> None:
    for name, answer in {
        "init": None,
        "get_arch_list": ["sm_89"],
        "get_device_name": "card",
        "get_device_capability": (8, 9),
        "mem_get_info": (7, 8),
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(check, "multiply", lambda _: None)
    monkeypatch.setattr(check, "attends_fused", lambda _: fused)
    found = check.look(0)
    assert (found.problem, found.fused) == (None, fused)


def test_a_card_that_does_not_compute_is_not_asked_for_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent() -> None:
        raise RuntimeError("No CUDA GPUs are available\nmore")

    monkeypatch.setattr(torch.cuda, "init", absent)
    found = check.look(0)
    assert (found.problem, found.fused) == ("No CUDA GPUs are available", None)
