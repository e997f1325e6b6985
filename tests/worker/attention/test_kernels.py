"""What computes attention is found by trying, and what a training uses by watching it.

A build of torch without some kernel is played: it refuses as torch does where only that kernel is
allowed.
"""

import warnings
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel, varlen

from autotune.protocol.choices import Precision
from autotune.protocol.kernels import Kernel
from autotune.worker.attention.fusable import as_on
from autotune.worker.attention.kernels import (
    Watch,
    find_kernels,
    heads_of,
    serving,
    training_kernel,
)
from autotune.worker.toy import toy_model
from tests.worker.toys import cpu, loaded_toy, save_toy

pytestmark = pytest.mark.torch


def play_a_build_with(backends: Collection[str], patch: pytest.MonkeyPatch) -> None:
    """Torch as it is where these fused kernels were compiled in, and nothing else but products."""
    real = nn.functional.scaled_dot_product_attention
    allowed = {
        "flash": torch.backends.cuda.flash_sdp_enabled,
        "efficient": torch.backends.cuda.mem_efficient_sdp_enabled,
        "math": torch.backends.cuda.math_sdp_enabled,
    }

    def dispatched(q: Tensor, k: Tensor, v: Tensor, **how: Any) -> Tensor:
        asked = {name for name, enabled in allowed.items() if enabled()}
        shares = how.get("enable_gqa", False)
        able = {name for name in backends if name != "efficient" or not shares} | {"math"}
        if not asked & able:
            warnings.warn("Memory efficient kernel not used because: ...", stacklevel=2)
            raise RuntimeError("No available kernel. Aborting execution.")
        with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
            return real(q, k, v, **how)

    patch.setattr(nn.functional, "scaled_dot_product_attention", dispatched)


def given(dtype: torch.dtype = torch.float32) -> list[Tensor]:
    numbers = torch.Generator().manual_seed(0)
    return [torch.randn((1, h, 24, 64), generator=numbers).to(dtype) for h in (9, 3, 3)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("compiled", "found"),
    [
        (("flash", "efficient"), (Kernel.FLASH, Kernel.EFFICIENT, Kernel.MATH)),
        (("efficient",), (Kernel.EFFICIENT, Kernel.MATH)),  # Windows
        ((), (Kernel.MATH,)),
    ],
)
def test_kernels_are_found_by_asking_each_alone_at_the_models_own_heads(
    compiled: tuple[str, ...],
    found: tuple[Kernel, ...],
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play_a_build_with(compiled, monkeypatch)
    with as_on("cuda"):
        assert serving(given(dtype)) == found


@pytest.mark.parametrize(
    ("compiled", "asked"), [(("flash",), False), (("efficient",), False), ((), True)]
)
def test_cudnn_whose_libraries_would_stay_on_the_card_is_asked_only_where_no_other_kernel_serves(
    compiled: tuple[str, ...], asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_a_build_with(compiled, monkeypatch)
    played, seen = nn.functional.scaled_dot_product_attention, []

    def noted(*given: Any, **how: Any) -> Tensor:
        seen.append(torch.backends.cuda.cudnn_sdp_enabled())
        return played(*given, **how)

    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", noted)
    with as_on("cuda"):
        serving(given())
    assert any(seen) is asked


def test_a_kernel_that_is_wrong_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    real = nn.functional.scaled_dot_product_attention

    def sees_ahead(q: Tensor, k: Tensor, v: Tensor, **how: Any) -> Tensor:
        right = torch.backends.cuda.math_sdp_enabled()
        return real(q, k, v, **how | {"is_causal": how["is_causal"] and right})

    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", sees_ahead)
    assert serving(given()) == (Kernel.MATH,)


def test_a_cpu_says_that_it_has_its_fused_kernel(tmp_path: Path) -> None:
    found = find_kernels(cpu(Precision.BF16), save_toy(tmp_path))
    assert found is not None
    assert found.kernels == (Kernel.CPU, Kernel.MATH)
    assert (found.heads, found.key_heads, found.head_size) == (4, 2, 16)
    assert found.dtype == "bfloat16"


def test_a_folder_without_a_model_tells_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    assert heads_of(tmp_path) is None
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}', encoding="utf-8")
    assert find_kernels(cpu(), tmp_path) is None


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_the_kernel_of_a_training_is_the_one_that_its_pass_asked_for(
    packing: bool, precision: Precision
) -> None:
    model = toy_model(0, 300).train()
    compute = replace(cpu(), precision=precision)
    assert training_kernel(model, compute, packing) is Kernel.CPU
    with sdpa_kernel(SDPBackend.MATH):
        assert training_kernel(model, compute, packing) is Kernel.MATH
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_a_model_that_attends_by_itself_is_said_to_use_plain_mathematics() -> None:
    model = toy_model(0, 300)
    model.set_attn_implementation("eager")
    assert training_kernel(model, cpu(), packing=False) is Kernel.MATH


def test_torchs_kernel_for_packed_rows_is_known_by_its_name() -> None:
    """Its real operation, on fake tensors: none is computed."""
    with FakeTensorMode(), Watch() as watch:
        states = torch.empty((8, 4, 16), dtype=torch.bfloat16)
        ends = torch.tensor([0, 5, 8], dtype=torch.int32)
        varlen.varlen_attn(states, states, states, ends, ends, 5, 5, window_size=(-1, 0))
    assert watch.kernel is Kernel.VARLEN


def test_looking_for_the_kernel_takes_no_random_numbers(tmp_path: Path) -> None:
    loaded = loaded_toy(tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    find_kernels(cpu(), tmp_path)
    training_kernel(loaded.model, cpu(), packing=False)
    assert torch.equal(torch.rand(1), expected)
