"""What CUDA's kernels and libraries take that no tensor shows."""

from typing import Any

import pytest
import torch

from autotune.base.library_memory import LARGE_WORKSPACE_BYTES, library_bytes
from autotune.base.sizes import MIB
from autotune.worker.predict.workspaces import scratch_bytes

pytestmark = pytest.mark.torch

aten: Any = torch.ops.aten


@pytest.mark.parametrize("capability", [None, (7, 5), (8, 6), (8, 9), (11, 0)])
def test_cublas_keeps_eight_mebibytes_a_thread(capability: tuple[int, int] | None) -> None:
    assert library_bytes(capability, biased=False) == 2 * (8 * MIB + 128 * 1024)


@pytest.mark.parametrize("capability", [(9, 0), (10, 0), (12, 0)])
def test_cublas_keeps_thirty_two_mebibytes_a_thread_since_hopper(
    capability: tuple[int, int],
) -> None:
    assert library_bytes(capability, biased=False) == 2 * LARGE_WORKSPACE_BYTES == 64 * MIB


def test_layers_with_a_bias_have_a_library_of_their_own() -> None:
    assert library_bytes((8, 9), True) - library_bytes((8, 9), False) == 2 * MIB


def test_a_softmax_that_goes_back_multiplies_first() -> None:
    gradient = torch.empty(2, 3, 64, 64)
    assert scratch_bytes(aten._softmax_backward_data.default, (gradient, gradient)) == (
        2 * 3 * 64 * 64 * 4
    )
    assert scratch_bytes(aten.mul.Tensor, (gradient, gradient)) == 0


@pytest.mark.parametrize(("groups", "shared"), [(4, 0), (2, 2)])
def test_fused_attention_sums_in_fp32_on_its_way_back(groups: int, shared: int) -> None:
    states = torch.empty(1, 4, 128, 64, dtype=torch.float16)
    keys = torch.empty(1, groups, 128, 64, dtype=torch.float16)
    sums = 4 * 128 * (64 + 1) * 4
    for func in (
        aten._scaled_dot_product_flash_attention_for_cpu_backward.default,
        aten._scaled_dot_product_efficient_attention_backward.default,
    ):
        assert scratch_bytes(func, (states, states, keys)) == sums + shared * states.numel() * 2
